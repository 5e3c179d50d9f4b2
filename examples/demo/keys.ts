import ssh2 from 'ssh2'

export interface KeyPair {
  /** OpenSSH format. */
  private: string
  /** A line as in authorized_keys. */
  public: string
}

/** An ed25519 key without passphrase. */
export function generateKey(comment: string): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment })
    // Of the keys that ssh2 1.17 makes, one in 256 is malformed: it drops a leading zero byte.
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair
  }
}

/** The key's blob, as it travels. @throws when the text is no key */
export function publicBlob(key: string): Buffer {
  const parsed = ssh2.utils.parseKey(key)
  if (parsed instanceof Error) throw parsed
  return parsed.getPublicSSH()
}

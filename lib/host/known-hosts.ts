import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { appendFile, mkdir, readFile, realpath, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** One line of a known_hosts file, format as in sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
interface Entry {
  file: string
  line: number
  marker: string | undefined
  patterns: string[]
  type: string
  key: string
}

export type Verdict =
  | { known: 'yes' }
  | { known: 'no' }
  | { known: 'changed'; file: string; line: number }
  | { known: 'revoked'; file: string; line: number }

/** What known_hosts says of a machine; reads hashed names, `[name]:port`, wildcards and negation. */
export class KnownHosts {
  readonly #entries: Entry[]

  constructor(entries: Entry[]) {
    this.#entries = entries
  }

  /** Reads the files that exist; a missing one knows nobody. */
  static async read(files: string[]): Promise<KnownHosts> {
    const entries = await Promise.all(files.map(async (file) => parse(file, await contents(file))))
    return new KnownHosts(entries.flat())
  }

  /**
   * @param names how the machine was addressed: `host` for port 22, else `[host]:port`
   * @param key the public key blob in SSH wire format, as the server sent it
   */
  check(names: string[], key: Buffer): Verdict {
    const type = keyType(key)
    const sent = key.toString('base64')
    const lines = this.#matching(names)
    const revoked = lines.find((entry) => entry.marker === '@revoked' && entry.key === sent)
    if (revoked) return { known: 'revoked', file: revoked.file, line: revoked.line }
    const plain = lines.filter((entry) => entry.marker === undefined)
    if (plain.some((entry) => entry.key === sent)) return { known: 'yes' }
    const other = plain.find((entry) => entry.type === type) ?? plain[0]
    return other ? { known: 'changed', file: other.file, line: other.line } : { known: 'no' }
  }

  /** Key types on file for this machine, so that the handshake asks for one that can be checked. */
  types(names: string[]): string[] {
    return [...new Set(this.#matching(names).flatMap((entry) => (entry.marker ? [] : [entry.type])))]
  }

  #matching(names: string[]): Entry[] {
    return this.#entries.filter((entry) => names.some((name) => matches(entry.patterns, name)))
  }
}

/** The name under which a machine stands in known_hosts. */
export function knownName(address: string, port: number): string {
  return port === 22 ? address : `[${address}]:${port}`
}

/** `SHA256:…`, as `ssh-keygen -l` prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** The key's type stands first in its blob, as a length and a name (RFC 4253, 6.6). */
export function keyType(key: Buffer): string {
  return key.toString('latin1', 4, 4 + key.readUInt32BE(0))
}

/** Adds a machine's key; the file is created with mode 0600 if it is not there. */
export async function rememberKey(file: string, names: string[], key: Buffer): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const text = await contents(file)
  const separator = text === '' || text.endsWith('\n') ? '' : '\n'
  const line = `${names.join(',')} ${keyType(key)} ${key.toString('base64')}\n`
  await appendFile(file, separator + line, { mode: 0o600 })
}

/**
 * Takes all lines out that name keys of a machine; the file before is kept as `.old`. What stands
 * there of revoked keys and of authorities stays, as with `ssh-keygen -R`.
 */
export async function forgetKeys(file: string, names: string[]): Promise<void> {
  const text = await contents(file)
  const gone = new Set(
    parse(file, text).flatMap(({ marker, patterns, line }) =>
      marker === undefined && names.some((name) => matches(patterns, name)) ? [line] : [],
    ),
  )
  if (gone.size === 0) return
  const left = text.split('\n').filter((_, index) => !gone.has(index + 1))
  await writeFile(`${file}.old`, text, { mode: 0o600 })
  // Where a link points to, or the link would be replaced and the file itself left as it was.
  const target = await realpath(file)
  await writeFile(`${target}.new`, left.join('\n'), { mode: 0o600 })
  await rename(`${target}.new`, target)
}

async function contents(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}

function parse(file: string, text: string): Entry[] {
  return text.split(/\r?\n/).flatMap((raw, index) => {
    const words = raw.trim().split(/\s+/)
    const marker = words[0]?.startsWith('@') ? words.shift() : undefined
    const [patterns, type, key] = words
    if (!patterns || patterns.startsWith('#') || !type || !key) return []
    return [{ file, line: index + 1, marker, patterns: patterns.split(','), type, key }]
  })
}

function matches(patterns: string[], name: string): boolean {
  let found = false
  for (const pattern of patterns) {
    if (pattern.startsWith('!')) {
      if (wildcard(pattern.slice(1)).test(name)) return false
    } else if (pattern.startsWith('|1|') ? hashed(pattern, name) : wildcard(pattern).test(name)) {
      found = true
    }
  }
  return found
}

function wildcard(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 'i')
}

/** `|1|salt|HMAC-SHA1(salt, name in lower case)`, as `HashKnownHosts yes` writes it. */
function hashed(pattern: string, name: string): boolean {
  const [, , salt = '', digest = ''] = pattern.split('|')
  const expected = Buffer.from(digest, 'base64')
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name.toLowerCase()).digest()
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}

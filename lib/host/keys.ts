import { readFile } from 'node:fs/promises'

import type { AnyAuthMethod, ParsedKey } from 'ssh2'

import type { SshSettings } from './ssh-settings.ts'

/** What can be offered to sshd, and what could not and why: told when nothing is accepted. */
export interface Credentials {
  methods: AnyAuthMethod[]
  tried: string[]
}

export async function credentials(
  settings: SshSettings,
  passphrase: (keyFile: string) => Promise<string | undefined>,
): Promise<Credentials> {
  const { default: ssh2 } = await import('ssh2')
  const username = settings.user
  const found: Credentials = { methods: [], tried: [] }
  const unread: string[] = []
  for (const file of settings.keys) {
    const text = await readFile(file).catch((error: unknown) => {
      unread.push(`key ${file} cannot be read (${codeOf(error)})`)
    })
    if (!text) continue
    let parsed = ssh2.utils.parseKey(text)
    if (parsed instanceof Error && /encrypted/i.test(parsed.message)) {
      const phrase = await passphrase(file)
      if (phrase === undefined) {
        found.tried.push(`key ${file} is encrypted, and there is no passphrase for it`)
        continue
      }
      parsed = ssh2.utils.parseKey(text, phrase)
      if (parsed instanceof Error) {
        found.tried.push(`key ${file}: the passphrase is wrong`)
        continue
      }
    }
    const key = usable(parsed)
    if (key instanceof Error) {
      found.tried.push(`key ${file}: ${key.message}`)
    } else {
      found.methods.push({ type: 'publickey', username, key })
      found.tried.push(`key ${file}`)
    }
  }
  if (settings.agent) {
    found.methods.push({ type: 'agent', username, agent: settings.agent })
    found.tried.push(`agent ${settings.agent}`)
  }
  // Most people have one of the usual keys, not all: those that are missing matter only without any other.
  if (found.methods.length === 0) found.tried.push(...unread)
  return found
}

function usable(parsed: ParsedKey | ParsedKey[] | Error): ParsedKey | Error {
  const key = Array.isArray(parsed) ? parsed[0] : parsed
  if (!key) return new Error('holds no key')
  if (key instanceof Error || key.isPrivateKey()) return key
  return new Error('is a public key; the private one is needed')
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

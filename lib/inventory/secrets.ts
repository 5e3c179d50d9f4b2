import { readFile, stat } from 'node:fs/promises'

import { parse } from 'dotenv'
import * as z from 'zod'

import { decodeText } from './text.ts'

const PATTERN = /^env:[A-Za-z_][A-Za-z0-9_]*$/

/** `env:NAME`: where a secret is found, never the secret. The message must not repeat what was written. */
export const SecretRef = z
  .string()
  .regex(PATTERN, {
    error: 'a secret is not written here; name a variable of the .env file, as "env:NAME"',
    abort: true,
  })
  .brand<'SecretRef'>()
export type SecretRef = z.infer<typeof SecretRef>

export interface Secrets {
  /** The `.env` that was looked for, whether or not there is one. */
  file: string
  /** What `NAME` is set to. An empty value counts as not set: a copied .env.example is full of them. */
  value: (name: string) => string | undefined
  /** Things to tell the operator that stop no task, each with what to do. */
  warnings: string[]
}

export function secretName(ref: SecretRef): string {
  return ref.slice('env:'.length)
}

/** Every secret that `value` names, at any depth, in the order of the file and without repeats. */
export function secretRefs(value: unknown): SecretRef[] {
  const found = new Set<SecretRef>()
  const waiting: unknown[] = [value]
  while (waiting.length > 0) {
    const next = waiting.pop()
    if (typeof next === 'object' && next !== null) waiting.push(...Object.values(next).toReversed())
    else if (typeof next === 'string' && PATTERN.test(next)) found.add(SecretRef.parse(next))
  }
  return [...found]
}

/**
 * Reads the `.env` file without touching `process.env`; what `env` holds wins over the file.
 * A missing file is fine. Throws what `readFile` throws for a file that is there and cannot be read.
 */
export async function readSecrets(file: string, env: NodeJS.ProcessEnv): Promise<Secrets> {
  const content = await readFile(file).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  const values = content === undefined ? {} : parse(decodeText(content))
  return {
    file,
    value: (name) => filled(env[name]) ?? filled(Object.hasOwn(values, name) ? values[name] : undefined),
    warnings: content === undefined ? [] : [(await openToOthers(file)) ?? []].flat(),
  }
}

/**
 * What to do about a file that others on this computer can open; undefined: they cannot, or there is none. Windows has
 * no such mode bits: there the folder's permissions decide.
 */
export async function openToOthers(file: string): Promise<string | undefined> {
  if (process.platform === 'win32') return undefined
  const found = await stat(file).catch(() => undefined)
  const mode = (found?.mode ?? 0) & 0o777
  if ((mode & 0o077) === 0) return undefined
  const octal = mode.toString(8).padStart(3, '0')
  return `others on this machine can open ${file} (mode ${octal}); run: chmod 600 ${quoted(file)}`
}

function quoted(file: string): string {
  return /^[\w@%+=:,./-]+$/.test(file) ? file : `'${file.replaceAll("'", `'\\''`)}'`
}

function filled(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

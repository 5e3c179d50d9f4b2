import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { parse } from 'dotenv'

/** What the variables of a `.env` become; undefined takes one away. */
export type EnvChanges = Record<string, string | undefined>

/** Values that mean the same in a `.env`, a URL and a passfile, without any quotes. */
export const plainSecret = /^[A-Za-z0-9._~-]+$/

export async function readEnvFile(file: string): Promise<Record<string, string>> {
  return parse(await readFile(file))
}

/**
 * The text with these variables changed, each in its own line, and every other line as it was. A new one comes
 * right after the last line that was changed.
 */
export function withVariables(text: string, changes: EnvChanges): string {
  const lines = text.split('\n')
  let last = lines.length - (lines.at(-1) === '' ? 2 : 1)
  for (const [name, value] of Object.entries(changes)) {
    const pattern = new RegExp(`^(\\s*(?:export\\s+)?)${name}\\s*=`)
    // Of several the last one counts.
    const at = lines.findLastIndex((line) => pattern.test(line))
    if (at === -1) {
      if (value !== undefined) lines.splice((last += 1), 0, `${name}=${value}`)
    } else if (value === undefined) {
      lines.splice(at, 1)
      if (at <= last) last -= 1
    } else {
      const [, start = ''] = pattern.exec(lines[at] ?? '') ?? []
      const end = lines[at]?.endsWith('\r') ? '\r' : ''
      lines[at] = `${start}${name}=${value}${end}`
      last = at
    }
  }
  return lines.join('\n')
}

/**
 * Rewrites a `.env` in one step, on the disk before it counts: it may hold the only copy of a password. Where there is
 * none it is made, for its owner alone.
 * @throws when the new text would not say what was asked for; the file is as it was then
 */
export async function changeEnvFile(file: string, changes: EnvChanges): Promise<void> {
  await (await open(file, 'a', 0o600)).close()
  // Where a link points to, or the link would be replaced.
  const path = await realpath(file)
  const text = withVariables(await readFile(path, 'utf8'), changes)
  const said = parse(text)
  for (const [name, value] of Object.entries(changes)) {
    if (said[name] !== value)
      throw new Error(`${file}: the line of ${name} could not be changed; change it by hand`)
  }
  const { mode } = await stat(path)
  const temporary = join(dirname(path), `.${basename(path)}.hausmeister-${process.pid}`)
  try {
    const handle = await open(temporary, 'w', mode & 0o777)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

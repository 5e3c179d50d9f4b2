import { createHash, randomBytes } from 'node:crypto'

import type { Command } from './shell.ts'

export interface WriteOptions {
  /** Permission bits. Default: those of the file that is there, else 0644. */
  mode?: number
  /** `user` or `user:group`. Default: those of the file that is there, else the writing user. */
  owner?: string
  /** Show no difference in the dry run and the journal: lines beside ours may hold secrets that nobody told us. */
  secret?: boolean
}

/** Reads a text file; undefined when there is none. */
export async function readTextFile(read: Command, path: string): Promise<string | undefined> {
  const { stdout } = await read`if [ -e ${path} ]; then echo there; cat -- ${path}; fi`
  return stdout === '' ? undefined : stdout.slice('there\n'.length)
}

/**
 * Brings a file to a content, in one step: whoever reads it sees the old text or the new one.
 * The content travels on stdin, is checked by its hash, and reaches the disk before the rename,
 * so that neither a cut connection, nor a full disk, nor a pulled plug leaves half a file.
 *
 * @returns false when the file was already as it should be
 */
export async function writeTextFile(
  read: Command,
  change: Command,
  path: string,
  content: string,
  options: WriteOptions,
): Promise<boolean> {
  const before = await readTextFile(read, path)
  const attributes = await read({ nothrow: true })`stat -Lc '%a %U %G %u:%g' -- ${path} 2>/dev/null`
  const [mode, user, group, ids] = attributes.stdout.trim().split(' ')
  const wantedMode = (options.mode ?? (mode ? Number.parseInt(mode, 8) : 0o644)).toString(8)
  // By number: a file in a container's volume may belong to a user that this machine has no name for.
  const wantedOwner = options.owner ?? ids
  const sameOwner = !wantedOwner || [user, `${user}:${group}`, ids].includes(wantedOwner)
  if (before === content && mode === wantedMode && sameOwner) return false
  const hash = createHash('sha256').update(content).digest('hex')
  const suffix = `.hausmeister-${randomBytes(4).toString('hex')}`
  const command = `write ${path} (mode ${wantedMode})`
  const shown = options.secret ? { command } : { command, input: await difference(path, before, content) }
  const chown = wantedOwner ? ['chown', '--', wantedOwner] : [':']
  // Where a link points to, or the link would be replaced and the file itself left as it was.
  // umask first: the file must not be readable by others even for a moment.
  await change({ input: content, shown })`
    path=$(readlink -f -- ${path})
    temporary=$path${suffix}
    trap 'rm -f -- "$temporary"' EXIT
    umask 077
    cat > "$temporary"
    [ "$(sha256sum < "$temporary")" = ${`${hash}  -`} ]
    ${chown} "$temporary"
    chmod -- ${wantedMode} "$temporary"
    sync -- "$temporary"
    mv -f -- "$temporary" "$path"`
  return true
}

async function difference(path: string, before: string | undefined, content: string): Promise<string> {
  const { createTwoFilesPatch } = await import('diff')
  return createTwoFilesPatch(path, path, before ?? '', content, '', '', { context: 2 })
}

import type { Readable } from 'node:stream'

import { feed } from '../../host/feed.ts'
import type { Host } from '../../host/host.ts'
import { TaskError } from '../../task/errors.ts'
import { BadBackup } from '../verdict.ts'

const mostLines = 20

/** What tar says when the archive itself is at fault. */
const broken = /not look like a tar archive|Unexpected EOF in archive|Malformed|Skipping to next header/

/**
 * Unpacks an archive of ours into an empty folder, as root: with owners by number, rights, ACLs and all extended
 * attributes, which tar leaves out otherwise.
 * @returns what tar warned of: an attribute that the file system there cannot keep
 * @throws BadBackup, TaskError; the archive's own error when that fails; HostError
 */
export async function unpackArchive(host: Host, into: string, archive: Readable): Promise<string[]> {
  // It may end before it has read all, and then nobody would know whether the rest was whole.
  const command = host.change({
    keepInputOpen: true,
    shown: { command: `tar --extract --directory ${into}`, input: '<a stream>' },
  })`
    LC_ALL=C tar --extract --file=- --numeric-owner --same-owner --same-permissions --acls --xattrs '--xattrs-include=*' --directory ${into}
    cat > /dev/null`
  try {
    await feed(command, archive)
    return (await command).stderr.split('\n').filter((line) => line !== '')
  } catch (error) {
    const { ProcessOutput } = await import('zx/core')
    if (!(error instanceof ProcessOutput) || error.cause || error.exitCode === null) throw error
    const seen = error.stderr.trim().split('\n').slice(-mostLines).join('\n')
    const message = `tar on ${host.name} failed with exit code ${error.exitCode}`
    if (broken.test(seen)) throw new BadBackup(message, { seen, cause: error })
    const next = /No space left|quota exceeded/.test(seen)
      ? `make room on ${host.name}: df -h ${into}; df -i ${into}`
      : undefined
    throw new TaskError(message, { seen, next, cause: error })
  }
}

/**
 * Compares an archive with a folder, by tar's own comparison: names, kinds, contents, owners, rights, times and links.
 * @returns the differences, as tar tells them
 */
export async function compareArchive(host: Host, folder: string, archive: Readable): Promise<string[]> {
  // 1: they differ. 141: there was more to tell than is read. Whatever else ends it has not found them the same.
  const command = host.read({ keepInputOpen: true })`
    code=0
    LC_ALL=C tar --compare --file=- --numeric-owner --directory ${folder} 2>&1 | head -n ${mostLines} || code=$?
    case $code in 0 | 1 | 141) ;; *) echo "tar ended with exit code $code" ;; esac
    cat > /dev/null`
  await feed(command, archive)
  return (await command).stdout.split('\n').filter((line) => line !== '')
}

import type { Flow } from '../../host/flow.ts'
import type { Host } from '../../host/host.ts'
import type { Store } from '../../s3/store.ts'
import { TaskError } from '../../task/errors.ts'
import { archiveName } from '../layout.ts'
import type { Part } from '../manifest.ts'
import { type Progress, storePart } from '../part.ts'

/**
 * GNU tar's words for all of a folder, with owners, rights, links, ACLs and extended attributes. The archive depends on
 * nothing else: of the same content the same tar makes the same bytes, whenever and wherever it runs. So without the
 * times of reading, and of the number of the process (tar(1), "--pax-option").
 */
const archiving = [
  '--create',
  '--sort=name',
  '--format=posix',
  '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
  '--numeric-owner',
  '--acls',
  '--xattrs',
]

/** A folder that can be backed up. */
export interface FolderLook {
  bytes: number
  /** As the manifest has it. */
  tar: string
}

/** @throws TaskError when there is no such folder */
export async function lookAtFolder(host: Host, path: string): Promise<FolderLook> {
  // What vanishes while it is measured makes du fail, and is nothing to us.
  const { stdout } = await host.read`
    if [ -d ${path} ]; then { du -s -D --block-size=1 -- ${path} 2> /dev/null || true; } | cut -f 1; fi`
  if (stdout.trim() === '') throw new TaskError(`there is no folder ${path} on ${host.name}`)
  return { bytes: Number(stdout), tar: await tarOf(host) }
}

export async function tarOf(host: Host): Promise<string> {
  const { stdout } = await host.read`LC_ALL=C tar --version | sed -n 1p`
  return stdout.trim()
}

export async function archiveToStore(
  store: Pick<Store, 'writeStream'>,
  { at, recipients }: { at: string; recipients: readonly string[] },
  { host, path, bytes }: { host: Host; path: string; bytes: number },
  told: (progress: Progress) => void,
): Promise<{ part: Part; files: number; warnings: string[] }> {
  const archive = archiveFolder(host, path)
  const part = await storePart(store, { at, name: archiveName, recipients }, archive, bytes, told)
  return { part, ...readArchived(archive.said) }
}

/**
 * Its exit code is 1 when a file changed while it was read (tar(1), "RETURN VALUE"): the archive is whole, and its
 * warnings tell which file. The last line on stderr is the number of files.
 */
function archiveFolder(host: Host, path: string): Flow {
  const shown = `tar --create --directory ${path} .`
  return host.stream({ shown })`
    export LC_ALL=C.UTF-8
    exec 3> >(grep -cv '/$' >&2 || true)
    counting=$!
    code=0
    tar ${archiving} --verbose --index-file=/dev/fd/3 --directory ${path} . || code=$?
    exec 3>&-
    wait "$counting"
    if [ "$code" -gt 1 ]; then exit "$code"; fi`
}

/** What {@link archiveFolder} has said at its end. */
export function readArchived(said: string): { files: number; warnings: string[] } {
  const lines = said.trim().split('\n')
  return { files: Number(lines.at(-1)), warnings: lines.slice(0, -1) }
}

/** The SHA-256 of the archive that tar would make of a folder. */
export async function archiveHash(host: Host, path: string): Promise<string> {
  const { stdout } = await host.read`tar ${archiving} --directory ${path} . | sha256sum | cut -d ' ' -f 1`
  return stdout.trim()
}

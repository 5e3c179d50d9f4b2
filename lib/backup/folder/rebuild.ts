import { Readable } from 'node:stream'

import type { Host } from '../../host/host.ts'
import { TaskError } from '../../task/errors.ts'
import type { Session } from '../../task/session.ts'
import { size } from '../../task/size.ts'
import { duration } from '../../task/text.ts'
import { openPart } from '../fetch.ts'
import { archiveName } from '../layout.ts'
import type { FolderManifest, Part } from '../manifest.ts'
import { meter } from '../meter.ts'
import { nameOf } from '../subject.ts'
import { BadBackup, blame, type Trial, tryKey } from '../verdict.ts'
import { archiveHash, tarOf } from './archive.ts'
import { contentOf, makeScratch } from './scratch.ts'
import { compareArchive, unpackArchive } from './unpack.ts'

/** What is needed to restore one backup on one machine. */
export interface FolderTrial extends Trial {
  manifest: FolderManifest
  /** As root. */
  host: Host
}

/** @throws BadBackup for a manifest of ours that names no archive */
function archiveOf({ backup, manifest }: FolderTrial): Part {
  const archive = manifest.parts.find(({ name }) => name === archiveName)
  if (archive) return archive
  throw new BadBackup(`the manifest of ${backup.id} names no ${archiveName}`)
}

/** A wrong key, and a manifest without an archive, are told before anything is made. @throws TaskError */
export async function tryArchive(work: FolderTrial): Promise<void> {
  await tryKey(work, archiveOf(work))
}

/** What it takes on a disk: files have room that they do not fill, and holes do not come back as such. Bytes. */
export function roomFor(work: FolderTrial): { bytes: number; files: number } {
  const { manifest } = work
  return { bytes: Math.max(manifest.bytes, archiveOf(work).plain.bytes), files: manifest.files }
}

/**
 * Unpacks a backup into a new scratch.
 * @returns how long it took, in milliseconds, and what tar warned of
 * @throws BadBackup, or what else went wrong; the scratch may be there then
 */
export async function rebuildFolder(
  session: Session<unknown>,
  work: FolderTrial,
  scratch: string,
): Promise<{ restoreMs: number; warnings: string[] }> {
  const { store, backup, identity, host } = work
  const archive = archiveOf(work)
  const start = performance.now()
  await session.step(`Make ${scratch} on ${host.name}`, () => makeScratch(host, scratch))
  const warnings = await session.step(
    `Unpack ${backup.id} of ${nameOf(backup.subject)} into it`,
    async (step) => {
      const into = contentOf(scratch)
      try {
        if (session.dryRun) return await unpackArchive(host, into, Readable.from([]))
        const told = meter(session, step, archive.plain.bytes)
        const content = await openPart(store, backup.prefix, archive, identity, told)
        const said = await unpackArchive(host, into, content)
        const ms = performance.now() - start
        step.detail = `${size(archive.plain.bytes)} in ${duration(ms)}, ${size(archive.plain.bytes / (ms / 1000))}/s`
        return said
      } catch (error) {
        if (session.run.signal().aborted) throw error
        throw await blame(work, archive, error)
      }
    },
  )
  return { restoreMs: Math.round(performance.now() - start), warnings }
}

/**
 * Compares what was unpacked with what was archived. The archive has proven its SHA-256 while it was unpacked, so what
 * differs now says nothing of the backup.
 * @returns what was compared, for the record
 * @throws TaskError that names the differences
 */
export async function examineFolder(
  session: Session<unknown>,
  work: FolderTrial,
  scratch: string,
  warnings: readonly string[],
): Promise<string> {
  const { host, backup, manifest } = work
  const name = nameOf(backup.subject)
  for (const warning of warnings) session.warn(`${name}: ${warning}`)
  let found = describeFolder(work)
  await session.prove('Compare it with what was archived', async (step) => {
    if ((await archiveHash(host, contentOf(scratch))) === archiveOf(work).plain.sha256) {
      step.detail = `${found}: archived again, they have the same SHA-256`
      return
    }
    await compareAgain(work, contentOf(scratch))
    found += '; ACLs and extended attributes not compared'
    step.detail = `${found}; tar finds no difference`
    const tar = await tarOf(host)
    if (tar !== manifest.tar) {
      session.note(`${name}: ${found}: it was made by ${manifest.tar}, and ${host.name} has ${tar}`)
      return
    }
    session.warn(
      `${name}: names, contents, owners, rights and times are what they were; ACLs or extended attributes are not. ` +
        `See what the file system keeps, on ${host.name}: findmnt -T ${scratch.slice(0, scratch.lastIndexOf('/')) || '/'}`,
    )
  })
  return found
}

/** The archive is read once more, and compared by the tar there. @throws TaskError that names the differences */
async function compareAgain(work: FolderTrial, folder: string): Promise<void> {
  const { store, backup, identity, host } = work
  const content = await openPart(store, backup.prefix, archiveOf(work), identity)
  const differences = await compareArchive(host, folder, content)
  if (differences.length === 0) return
  throw new TaskError(`what was unpacked on ${host.name} is not what was archived`, {
    seen: differences.join('\n'),
    next: `see whether that machine and its disk are well, on ${host.name}: dmesg --level err,warn`,
  })
}

/** `4812 files, 3.1 GB` */
export function describeFolder({ manifest }: Pick<FolderTrial, 'manifest'>): string {
  return `${manifest.files} files, ${size(manifest.bytes)}`
}

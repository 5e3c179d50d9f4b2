import { Readable } from 'node:stream'

import { type Collections, describeCollections } from '../../mongo/collections.ts'
import { toolVersion } from '../../mongo/programs.ts'
import { type Renaming, restoreArchive, RestoreError } from '../../mongo/restore.ts'
import { checkRoom } from '../../mongo/room.ts'
import type { Standing } from '../../mongo/standing.ts'
import { TaskError } from '../../task/errors.ts'
import type { Session } from '../../task/session.ts'
import { size } from '../../task/size.ts'
import { duration } from '../../task/text.ts'
import { openPart } from '../fetch.ts'
import { mongoArchiveName } from '../layout.ts'
import type { MongoManifest, Part } from '../manifest.ts'
import { meter } from '../meter.ts'
import { nameOf } from '../subject.ts'
import { BadBackup, blame, type Trial, tryKey } from '../verdict.ts'
import { differences } from './compare.ts'

/** What is needed to restore one backup on one member. */
export interface Rebuilding extends Trial {
  manifest: MongoManifest
  primary: Standing
}

/** What was found out before anything is made. */
export interface Readiness {
  archive: Part
  /** What the operator should know. */
  remarks: string[]
  /** mongorestore's version. */
  version: string
}

/**
 * Everything that can stand in the way and can be told before anything is made: versions, room, the age key.
 * @throws TaskError
 */
export async function readyToRebuild(work: Rebuilding): Promise<Readiness> {
  const { backup, manifest, primary } = work
  const { server } = primary
  const archive = manifest.parts.find(({ name }) => name === mongoArchiveName)
  if (!archive) throw new BadBackup(`the manifest of ${backup.id} names no ${mongoArchiveName}`)
  const [here, there] = [primary.version, manifest.versions.server]
  const versions = `${server.name} is MongoDB ${here}, and the backup is of ${there}`
  if (isOlder(here, there)) {
    throw new TaskError(`${versions}: an older one may not take it`, {
      next: `restore it on a server of ${there} or newer`,
    })
  }
  const version = await toolVersion(server.host, 'mongorestore')
  await checkRoom(server, manifest.bytes)
  await tryKey(work, archive)
  // mongorestore says so, too, and goes on (mongorestore.go of mongo-tools).
  const remarks = isOlder(there, here) ? [`${versions}: its makers do not promise that this works`] : []
  return { archive, version, remarks }
}

/** By the release, `7.0` of `7.0.14`: what comes after it changes no formats. */
function isOlder(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number)
  return major === otherMajor ? minor < otherMinor : major < otherMajor
}

/**
 * Restores a backup under other names.
 * @returns how long it took, in milliseconds
 * @throws BadBackup, or what else went wrong; part of it may be there then
 */
export async function rebuild(
  session: Session<unknown>,
  work: Rebuilding,
  { archive }: Readiness,
  { into, renamings, without = [] }: { into: string; renamings: Renaming[]; without?: string[] },
): Promise<number> {
  const { store, backup, manifest, identity, primary } = work
  const start = performance.now()
  await session.step(`Restore ${backup.id} of ${nameOf(backup.subject)} into ${into}`, async (step) => {
    try {
      if (session.dryRun) return await restoreArchive(primary.server, Readable.from([]), renamings, without)
      const told = meter(session, step, archive.plain.bytes)
      const content = await openPart(store, backup.prefix, archive, identity, told)
      await restoreArchive(primary.server, content, renamings, without)
      step.detail = `${size(manifest.bytes)} in ${duration(performance.now() - start)}`
    } catch (error) {
      if (session.run.signal().aborted) throw error
      throw await blame(work, archive, asBad(error))
    }
  })
  return Math.round(performance.now() - start)
}

function asBad(error: unknown): unknown {
  if (!(error instanceof RestoreError && error.blamesDump)) return error
  return new BadBackup(error.message, { seen: error.seen, cause: error })
}

/** @returns what is wrong, a line each */
export function examine({ manifest }: Rebuilding, found: Collections): string[] {
  return differences(manifest.collections, found)
}

/** `3 collections with 1204 documents, 5 indexes` */
export function describeExamined({ manifest }: Rebuilding): string {
  const indexes = Object.values(manifest.collections).reduce((sum, one) => sum + one.indexes.length, 0)
  return `${describeCollections(manifest.collections)}, ${indexes} indexes`
}

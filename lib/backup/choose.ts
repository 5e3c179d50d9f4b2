import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import { duration } from '../task/text.ts'
import { type Backup, isBad, verifiedAt } from './backups.ts'
import type { FolderManifest, Manifest, MongoManifest, PostgresManifest } from './manifest.ts'
import { nameOf, type Subject } from './subject.ts'

/** One that can be restored. */
export type WholeBackup = Backup & { manifest: Manifest }

export interface Choice {
  backup: WholeBackup
  /** What the operator should know of others that were passed over. */
  remarks: string[]
}

function isWhole(backup: Backup): backup is WholeBackup {
  return backup.state === 'whole' && backup.manifest !== undefined
}

/**
 * The backup to be verified: the newest whole one, whatever came of its last restore.
 * @param id the one that the operator wants
 * @throws TaskError when there is none, or it is not whole
 */
export function toVerify(subject: Subject, all: readonly Backup[], id?: string): Choice {
  if (id !== undefined) return { backup: named(subject, all, id), remarks: [] }
  const backup = all.filter(isWhole).at(-1)
  if (!backup) throw none(subject, all)
  return { backup, remarks: newerThan(backup, all).map(passedOver) }
}

/**
 * The backup to be restored: the newest verified one; a whole one that nobody has verified when there is no other.
 * @throws TaskError when there is none, or it is damaged, incomplete or bad
 */
export function toRestore(subject: Subject, all: readonly Backup[], id?: string): Choice {
  if (id !== undefined) {
    const backup = named(subject, all, id)
    if (isBad(backup)) throw new TaskError(`${id} of ${nameOf(subject)} is bad: ${badness(backup)}`)
    const remarks = verifiedAt(backup) ? [] : [unverified(backup)]
    return { backup, remarks }
  }
  const good = all.filter(isWhole).filter((backup) => !isBad(backup))
  const backup = good.findLast((one) => verifiedAt(one)) ?? good.at(-1)
  if (!backup) throw none(subject, all)
  const newer = newerThan(backup, all).map((one) =>
    isWhole(one) && !isBad(one)
      ? `${one.id} is newer, and was never verified; --backup ${one.id} takes it`
      : passedOver(one),
  )
  return { backup, remarks: verifiedAt(backup) ? newer : [unverified(backup), ...newer] }
}

function named(subject: Subject, all: readonly Backup[], id: string): WholeBackup {
  const found = all.find((backup) => backup.id === id)
  if (!found) {
    const newest = all.slice(-5).map((backup) => backup.id)
    const has = newest.length === 0 ? 'it has none' : `its newest are ${newest.join(', ')}`
    throw new TaskError(`${nameOf(subject)} has no backup ${id}; ${has}`, { code: exitCode.usage })
  }
  if (isWhole(found)) return found
  throw new TaskError(`${id} of ${nameOf(subject)} is ${found.state}: ${found.why}`)
}

function none(subject: Subject, all: readonly Backup[]): TaskError {
  const what = all.length === 0 ? 'there is none at all' : `of ${all.length} none is whole and good`
  return new TaskError(`${nameOf(subject)} has no backup to restore: ${what}`, {
    seen: all.length === 0 ? undefined : all.map(passedOver).join('\n'),
    next: 'npx tsx tasks/backup-now.ts',
  })
}

function newerThan(backup: Backup, all: readonly Backup[]): Backup[] {
  return all.filter(({ id }) => id > backup.id)
}

function passedOver(backup: Backup): string {
  if (isBad(backup)) return `${backup.id} is bad: ${badness(backup)}`
  return `${backup.id} is ${backup.state}${backup.why === undefined ? '' : `: ${backup.why}`}`
}

function badness({ evidence }: Backup): string {
  const last = evidence.at(-1)
  return `${last?.findings.join('; ') ?? ''} (restored ${last?.at ?? ''} on ${last?.on ?? ''})`
}

function unverified({ id }: Backup): string {
  return `${id} was never verified: it is restored unproven`
}

/** @throws TaskError when it is of something else than a database */
export function postgresManifest({ id, manifest }: WholeBackup): PostgresManifest {
  if (manifest.kind === 'postgres') return manifest
  throw new TaskError(`${id} is the backup of a ${manifest.kind}`)
}

/** @throws TaskError when it is of something else than a folder */
export function folderManifest({ id, manifest }: WholeBackup): FolderManifest {
  if (manifest.kind === 'folder') return manifest
  throw new TaskError(`${id} is the backup of a ${manifest.kind}`)
}

/** @throws TaskError when it is of something else than a database of MongoDB */
export function mongoManifest({ id, manifest }: WholeBackup): MongoManifest {
  if (manifest.kind === 'mongo') return manifest
  throw new TaskError(`${id} is the backup of a ${manifest.kind}`)
}

/** `20261124T023000Z, 3 h 12 min old, verified 2026-11-24T04:00:00.000Z` */
export function describeBackup(backup: WholeBackup, now: Date): string {
  const age = duration(now.getTime() - Date.parse(backup.manifest.taken))
  const verified = verifiedAt(backup)
  const last = isBad(backup) ? 'bad' : verified ? `verified ${verified.toISOString()}` : 'never verified'
  return `${backup.id}, ${age} old, ${last}`
}

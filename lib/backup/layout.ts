import type { Subject } from './subject.ts'

/**
 * Where things are in the bucket. The folder of a backup is named after the time at which it was begun:
 *
 *   weltenwind/postgres/main/weltenwind/20261124T023000Z/dump.age
 *                                                        globals.age
 *                                                        manifest.json         written last: it makes it a backup
 *                                                        verified/20261124T040000Z.json
 *
 * A folder's has `archive.tar.age` in place of the first two, MongoDB's `archive.age`.
 */
export function prefixOf(estate: string, subject: Subject): string {
  const words = [estate, subject.kind, ...wordsOf(subject)]
  return `${words.map((word) => encodeURIComponent(word)).join('/')}/`
}

function wordsOf(subject: Subject): [string, string] {
  switch (subject.kind) {
    case 'postgres':
    case 'mongo':
      return [subject.cluster, subject.database]
    case 'folder':
      return [subject.host, subject.path]
  }
}

/** Below it is everything of an estate, and nothing of another one. */
export function estatePrefix(estate: string): string {
  return `${encodeURIComponent(estate)}/`
}

/** Whose backup a key is part of; undefined for what somebody else has put there. */
export function subjectAt(estate: string, key: string): Subject | undefined {
  const [, kind, first = '', second = '', stamp = ''] = key.split('/')
  const subject = subjectIn(kind, first, second)
  const isOurs = subject && key.startsWith(prefixOf(estate, subject)) && timeOf(stamp)
  return isOurs ? subject : undefined
}

function subjectIn(kind: string | undefined, first: string, second: string): Subject | undefined {
  try {
    const [one, other] = [decodeURIComponent(first), decodeURIComponent(second)]
    if (kind === 'postgres' || kind === 'mongo') return { kind, cluster: one, database: other }
    return kind === 'folder' ? { kind, host: one, path: other } : undefined
  } catch {
    return undefined
  }
}

export const dumpName = 'dump.age'
export const globalsName = 'globals.age'
export const archiveName = 'archive.tar.age'
export const mongoArchiveName = 'archive.age'
export const manifestName = 'manifest.json'
export const evidenceFolder = 'verified/'

/** `20261124T023000Z`, which sorts as time does. */
export function stampOf(time: Date): string {
  return time.toISOString().replace(/\.\d+/, '').replaceAll(/[-:]/g, '')
}

/** @returns undefined for what is no stamp */
export function timeOf(stamp: string): Date | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp)
  if (!parts) return undefined
  const [, year, month, day, hour, minute, second] = parts
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(time.getTime()) ? undefined : time
}

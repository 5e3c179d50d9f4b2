import type { Subject } from './subject.ts'

/**
 * Where things are in the bucket. The folder of a backup is named after the time at which it was begun:
 *
 *   weltenwind/postgres/main/weltenwind/20261124T023000Z/dump.age
 *                                                        globals.age
 *                                                        manifest.json         written last: it makes it a backup
 *                                                        verified/20261124T040000Z.json
 */
export function prefixOf(estate: string, subject: Subject): string {
  const words =
    subject.kind === 'postgres'
      ? [estate, 'postgres', subject.cluster, subject.database]
      : [estate, 'folder', subject.host, subject.path]
  return `${words.map((word) => encodeURIComponent(word)).join('/')}/`
}

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

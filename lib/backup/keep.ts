import type { Keep } from '../inventory/inventory.ts'
import type { Standing } from './backups.ts'

export const day = 24 * 60 * 60 * 1000

/** S3 lets the clocks of a store and of its users differ that much. */
const drift = 15 * 60 * 1000

/** What the policy looks at. */
export interface Candidate {
  id: string
  /** By the clock of who has made it. */
  begun: Date
  /** When the store got the last of it, by the store's own clock. */
  stored: Date
  standing: Standing
}

export interface Verdict<T> {
  backup: T
  keep: boolean
  why: string
}

/**
 * What of one subject is kept, the newest first. Days, weeks (from Monday) and months are those of UTC.
 *
 * All is counted back from the newest backup that was verified: when verifying stops, so does removing. Whatever is
 * newer than that one stays, and so does every backup as long as fewer than the minimum are verified.
 *
 * What is kept depends on nothing that is removed: a removal that was cut off anywhere, and is done again, ends the same.
 *
 * @param now by the store's clock
 */
export function judge<T extends Candidate>(backups: readonly T[], policy: Keep, now: Date): Verdict<T>[] {
  const newestFirst = backups.toSorted((a, b) => b.begun.getTime() - a.begun.getTime())
  const counted = newestFirst.filter(({ begun }) => !isAhead(begun, now))
  const verified = counted.filter(({ standing }) => standing === 'verified')
  const [anchor] = verified
  const usable = counted.filter(({ standing }) => standing === 'verified' || standing === 'whole')
  const places = anchor
    ? placesOf(
        usable.filter((backup) => !isNewer(backup, anchor)),
        policy,
      )
    : []
  const few = `${verified.length} of at least ${policy.minimum} are verified`

  function verdictOn(backup: T): Omit<Verdict<T>, 'backup'> {
    const { standing, begun } = backup
    if (isAhead(begun, now)) return keep('it is dated in the future, and not counted')
    if (standing === 'incomplete') {
      return isQuiet(backup, now)
        ? remove('it was cut off: no manifest, and nothing came for a day')
        : keep('it has no manifest yet, and may still be running')
    }
    if (!anchor) return keep('none is verified')
    if (backup === anchor) return keep('the newest that is verified')
    if (isNewer(backup, anchor)) return keep('newer than the newest that is verified')
    if (verified.length < policy.minimum) return keep(few)
    if (standing === 'damaged') return remove('it is damaged')
    if (standing === 'bad') return remove('it could not be restored')
    const place = places.find(({ holder }) => holder === backup)
    if (place) return keep(place.name)
    if (verified.slice(0, policy.minimum).includes(backup))
      return keep(`one of the last ${policy.minimum} that are verified`)
    const other = places.find(({ name }) => name === dayOf(begun))
    return remove(other ? `${other.holder.id} is kept of that day` : 'older than what is kept')
  }

  return newestFirst.map((backup) => ({ backup, ...verdictOn(backup) }))
}

/** Dated in the future: a clock was wrong, and nobody knows when it was made. */
export function isAhead(begun: Date, now: Date): boolean {
  return begun.getTime() > now.getTime() + drift
}

/** Nobody is working on it any more. */
export function isQuiet({ begun, stored }: Pick<Candidate, 'begun' | 'stored'>, now: Date): boolean {
  return now.getTime() - Math.max(begun.getTime(), stored.getTime()) >= day
}

/** By either clock: who makes backups may have had a wrong one. */
function isNewer(one: Candidate, other: Candidate): boolean {
  return one.begun > other.begun || one.stored > other.stored
}

interface Place<T> {
  /** `day 2026-11-24` */
  name: string
  holder: T
}

/** The newest of each day, week and month, as many as the policy wants; a verified one before others. */
function placesOf<T extends Candidate>(newestFirst: readonly T[], policy: Keep): Place<T>[] {
  return [
    ...lastOf(newestFirst, policy.daily, dayOf),
    ...lastOf(newestFirst, policy.weekly, weekOf),
    ...lastOf(newestFirst, policy.monthly, monthOf),
  ]
}

function lastOf<T extends Candidate>(
  newestFirst: readonly T[],
  count: number,
  nameOf: (begun: Date) => string,
): Place<T>[] {
  const places: Place<T>[] = []
  for (const backup of newestFirst) {
    const name = nameOf(backup.begun)
    const place = places.find((one) => one.name === name)
    if (!place) places.push({ name, holder: backup })
    else if (place.holder.standing !== 'verified' && backup.standing === 'verified') place.holder = backup
  }
  return places.slice(0, count)
}

function dayOf(time: Date): string {
  return `day ${time.toISOString().slice(0, 10)}`
}

function weekOf(time: Date): string {
  const sinceMonday = (time.getUTCDay() + 6) % 7
  return `week of ${new Date(time.getTime() - sinceMonday * day).toISOString().slice(0, 10)}`
}

function monthOf(time: Date): string {
  return `month ${time.toISOString().slice(0, 7)}`
}

function keep(why: string): { keep: true; why: string } {
  return { keep: true, why }
}

function remove(why: string): { keep: false; why: string } {
  return { keep: false, why }
}

import { type Backup, standingOf, verifiedAt } from './backups.ts'
import { isAhead } from './keep.ts'

/** How well one subject is backed up, for those who watch over it. Of backups dated in the future nothing is believed. */
export interface Freshness {
  /** The newest that is whole, and did not fail to be restored; undefined: there is none. */
  whole: { id: string; begun: Date } | undefined
  /** The newest that was restored and found good. `at`: when that was. `restoreMs`: how long it took. */
  verified: { id: string; begun: Date; at: Date; by: string; on: string; restoreMs: number } | undefined
  /** How many were restored and found good. */
  verifiedCount: number
}

/** @param now by the store's clock */
export function freshnessOf(backups: readonly Backup[], now: Date): Freshness {
  const past = backups.filter(({ begun }) => !isAhead(begun, now))
  const verified = past.filter((backup) => standingOf(backup) === 'verified')
  const whole = past.findLast((backup) => ['whole', 'verified'].includes(standingOf(backup)))
  const newest = verified.at(-1)
  const last = newest?.evidence.at(-1)
  const at = newest && verifiedAt(newest)
  return {
    whole: whole && { id: whole.id, begun: whole.begun },
    verified:
      newest && last && at
        ? { id: newest.id, begun: newest.begun, at, by: last.by, on: last.on, restoreMs: last.restoreMs }
        : undefined,
    verifiedCount: verified.length,
  }
}

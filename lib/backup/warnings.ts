import type { Keep } from '../inventory/inventory.ts'
import { ageOf } from './age.ts'
import { standingOf } from './backups.ts'
import { freshnessOf } from './freshness.ts'
import { candidatesOf, type Holding } from './holding.ts'
import { day, isAhead, isQuiet } from './keep.ts'
import { nameOf } from './subject.ts'

/** A day, and the time that the next one takes. */
const late = day + 2 * 60 * 60 * 1000

/** A week, and a day for the weekly look. */
const unproven = 8 * day

/** What is missing by policy, and what is not well, a line each. @param now by the store's clock */
export function holdingWarnings(holding: Holding, { minimum }: Keep, now: Date): string[] {
  const name = nameOf(holding.subject)
  return [...missing(holding, minimum, now), ...broken(holding, now)].map((text) => `${name}: ${text}`)
}

function* missing({ backups }: Holding, minimum: number, now: Date): Generator<string> {
  const { whole, verified, verifiedCount } = freshnessOf(backups, now)
  const since = (time: Date): number => now.getTime() - time.getTime()
  if (!whole) {
    yield backups.length === 0 ? 'it was never backed up' : 'there is no whole backup'
    return
  }
  if (since(whole.begun) > late) yield `the newest whole backup is ${ageOf(whole.begun, now)} old`
  if (!verified) yield 'no backup was ever verified'
  else if (since(verified.begun) > unproven)
    yield `the newest verified backup is ${ageOf(verified.begun, now)} old`
  if (verified && verifiedCount < minimum)
    yield `${verifiedCount} of at least ${minimum} backups are verified; backup-prune removes none until then`
}

function* broken(holding: Holding, now: Date): Generator<string> {
  for (const candidate of candidatesOf(holding)) {
    const { id, begun, of: backup } = candidate
    const standing = standingOf(backup)
    if (isAhead(begun, now)) yield `${id} is dated in the future; the clock of who made it was wrong`
    if (standing === 'damaged') yield `${id} is damaged: ${backup.why}`
    if (standing === 'bad') yield `${id} could not be restored: ${failureOf(backup)}`
    if (standing === 'incomplete' && isQuiet(candidate, now)) yield `${id} was cut off: ${backup.why}`
  }
  const left = holding.uploads.filter(({ active }) => now.getTime() - active.getTime() >= day)
  if (left.length > 0) yield `uploads that were never ended: ${left.length}; backup-prune aborts them`
}

/** What the last restore found. */
export function failureOf({ evidence }: Holding['backups'][number]): string {
  return evidence.at(-1)?.findings.join('; ') || 'its evidence does not say why'
}

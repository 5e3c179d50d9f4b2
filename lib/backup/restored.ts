import { duration } from '../task/text.ts'
import { nameOf } from './subject.ts'
import type { Trial } from './verdict.ts'

/** What a restore has measured. Milliseconds. */
export interface Measured {
  /** From the word to go until it had its name. */
  rtoMs: number
  /** How old the data is. */
  rpoMs: number
}

/** For programs. */
export function restoredData({ backup, on }: Trial, measured: Measured): object {
  return {
    subject: nameOf(backup.subject),
    backup: backup.id,
    taken: backup.manifest.taken,
    on,
    ...measured,
  }
}

/** For people. */
export function describeRestored({ backup, on }: Trial, { rtoMs, rpoMs }: Measured): string {
  return [
    `${nameOf(backup.subject)} on ${on} is what it was at ${backup.manifest.taken}`,
    `lost: what was written since, ${duration(rpoMs)} (RPO)`,
    `restored in ${duration(rtoMs)} (RTO)`,
  ].join('\n')
}

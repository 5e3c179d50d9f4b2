import { duration } from '../task/text.ts'
import type { Rebuilding } from './rebuild.ts'
import { nameOf } from './subject.ts'

/** What a restore has measured. Milliseconds. */
export interface Measured {
  /** From the word to go until the database had its name. */
  rtoMs: number
  /** How old the data is. */
  rpoMs: number
}

/** For programs. */
export function restoredData({ backup, manifest, primary }: Rebuilding, measured: Measured): object {
  return {
    subject: nameOf(backup.subject),
    backup: backup.id,
    taken: manifest.taken,
    on: primary.server.name,
    ...measured,
  }
}

/** For people. */
export function describeRestored(
  { backup, manifest, primary }: Rebuilding,
  { rtoMs, rpoMs }: Measured,
): string {
  return [
    `${nameOf(backup.subject)} on ${primary.server.name} is what it was at ${manifest.taken}`,
    `lost: what was written since, ${duration(rpoMs)} (RPO)`,
    `restored in ${duration(rtoMs)} (RTO)`,
  ].join('\n')
}

import { bytesOf, standingOf } from './backups.ts'
import { freshnessOf } from './freshness.ts'
import type { Holding } from './holding.ts'
import { nameOf } from './subject.ts'

/** What `--json` says of a subject; described in docs/json-events.md. */
export function holdingData(holding: Holding, isWanted: boolean, now: Date, warnings: string[]) {
  const { subject, backups, uploads } = holding
  const { whole, verified, verifiedCount } = freshnessOf(backups, now)
  const age = (time: Date): number => Math.round((now.getTime() - time.getTime()) / 1000)
  return {
    subject: nameOf(subject),
    kind: subject.kind,
    inventory: isWanted,
    newest: whole ? { id: whole.id, age: age(whole.begun) } : null,
    verified: verified
      ? {
          id: verified.id,
          age: age(verified.begun),
          at: verified.at.toISOString(),
          by: verified.by,
          on: verified.on,
          restoreMs: verified.restoreMs,
        }
      : null,
    verifiedCount,
    backups: backups.toReversed().map((backup) => ({
      id: backup.id,
      begun: backup.begun.toISOString(),
      taken: backup.manifest?.taken ?? null,
      age: age(backup.begun),
      bytes: bytesOf(backup),
      state: standingOf(backup),
      why: backup.why ?? null,
      restores: backup.evidence.map(({ at, by, on, outcome, restoreMs, findings }) => ({
        at,
        by,
        on,
        outcome,
        restoreMs,
        findings,
      })),
    })),
    uploads: uploads.map(({ key, since, active }) => ({
      key,
      since: since.toISOString(),
      idle: age(active),
    })),
    warnings,
  }
}

import type { Keep } from '../inventory/inventory.ts'
import { size } from '../task/size.ts'
import { ageOf } from './age.ts'
import { type Backup, bytesOf, standingOf } from './backups.ts'
import { candidatesOf, type Holding, type Upload } from './holding.ts'
import { day, judge } from './keep.ts'
import { tableOf } from './listing.ts'
import { nameOf, type Subject } from './subject.ts'

/** What is kept of one subject and what goes, the newest first, each with the reason. */
export interface Plan {
  subject: Subject
  kept: { backup: Backup; why: string }[]
  removed: { backup: Backup; why: string }[]
  /** Uploads that are aborted. */
  aborted: Upload[]
}

/** @param now by the store's clock */
export function planOf(holding: Holding, policy: Keep, now: Date): Plan {
  const verdicts = judge(candidatesOf(holding), policy, now)
  const those = (wanted: boolean) =>
    verdicts.flatMap(({ backup, keep, why }) => (keep === wanted ? [{ backup: backup.of, why }] : []))
  return {
    subject: holding.subject,
    kept: those(true),
    removed: those(false),
    aborted: holding.uploads.filter(({ active }) => now.getTime() - active.getTime() >= day),
  }
}

export function isEmpty({ removed, aborted }: Plan): boolean {
  return removed.length === 0 && aborted.length === 0
}

/** What both plans would remove: between the first and the second, somebody may have restored or made one. */
export function agreed(first: Plan, second: Plan): Plan {
  const ids = new Set(first.removed.map(({ backup }) => backup.id))
  const uploads = new Set(first.aborted.map(({ id }) => id))
  return {
    ...second,
    removed: second.removed.filter(({ backup }) => ids.has(backup.id)),
    aborted: second.aborted.filter(({ id }) => uploads.has(id)),
  }
}

/** `3 backups (1.2 GB) and 1 open upload` */
export function amountOf(plans: readonly Plan[]): string {
  const removed = plans.flatMap((plan) => plan.removed)
  const aborted = plans.flatMap((plan) => plan.aborted)
  const bytes = removed.reduce((sum, { backup }) => sum + bytesOf(backup), 0)
  return [
    ...(removed.length > 0 ? [`${counted(removed.length, 'backup')} (${size(bytes)})`] : []),
    ...(aborted.length > 0 ? [counted(aborted.length, 'open upload')] : []),
  ].join(' and ')
}

/** A table for people. */
export function describePlan(plan: Plan, now: Date): string {
  const { subject, kept, removed, aborted } = plan
  const rows = [
    ...removed.map((one) => ({ ...one, goes: true })),
    ...kept.map((one) => ({ ...one, goes: false })),
  ]
    .toSorted((a, b) => b.backup.begun.getTime() - a.backup.begun.getTime())
    .map(({ backup, why, goes }) => [
      backup.id,
      ageOf(backup.begun, now),
      size(bytesOf(backup)),
      standingOf(backup),
      `${goes ? 'goes' : 'stays'}: ${why}`,
    ])
  const what = isEmpty(plan) ? 'nothing goes' : `${amountOf([plan])} go`
  return [
    `${nameOf(subject)}: ${what}, ${kept.length} stay`,
    ...(rows.length > 0 ? tableOf(['backup', 'age', 'size', 'state', ''], rows) : []),
    ...aborted.map(
      ({ key, active }) =>
        `  open upload goes: ${key.split('/').slice(-2).join('/')}, nothing came for ${ageOf(active, now)}`,
    ),
  ].join('\n')
}

/** What `--json` says of it; described in docs/json-events.md. */
export function planData({ subject, kept, removed, aborted }: Plan) {
  const entry = ({ backup, why }: Plan['kept'][number]) => ({
    id: backup.id,
    bytes: bytesOf(backup),
    state: standingOf(backup),
    why,
  })
  return {
    subject: nameOf(subject),
    kept: kept.map(entry),
    removed: removed.map(entry),
    aborted: aborted.map(({ key, active }) => ({ key, active: active.toISOString() })),
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

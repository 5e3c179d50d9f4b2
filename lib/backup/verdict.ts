import type { Store } from '../s3/store.ts'
import { TaskError } from '../task/errors.ts'
import { explain } from '../task/explain.ts'
import { duration } from '../task/text.ts'
import type { WholeBackup } from './choose.ts'
import { writeEvidence } from './evidence.ts'
import { damageOf, openPart, OtherContent } from './fetch.ts'
import type { Part } from './manifest.ts'
import { nameOf } from './subject.ts'

/** A backup that is restored, of whatever kind. */
export interface Trial {
  store: Pick<Store, 'read' | 'writeText' | 'name' | 'entry'>
  backup: WholeBackup
  /** age secret key. */
  identity: string
  /** The machine or the server that it is restored on. */
  on: string
}

/** It is certain that the backup, and not what it was restored on, is no good. */
export class BadBackup extends TaskError {}

/** Whose fault a failed restore of a part is: what is stored is looked at once more. */
export async function blame({ store, backup }: Trial, part: Part, error: unknown): Promise<unknown> {
  const at = backup.prefix
  const damage = await damageOf(store, at, part).catch(() => undefined)
  if (damage !== undefined)
    return new BadBackup(`what is stored at ${at} is damaged: ${damage}`, { cause: error })
  if (error instanceof OtherContent) return new BadBackup(error.message, { cause: error })
  return error
}

/** Opens the beginning of a part: a wrong key is told before anything is made. @throws TaskError */
export async function tryKey({ store, backup, identity }: Trial, part: Part): Promise<void> {
  const content = await openPart(store, backup.prefix, part, identity)
  content.on('error', () => {}).destroy()
}

/** Records that it could be restored. @returns what to say of it */
export async function approve(
  { store, backup, on }: Trial,
  restoreMs: number,
  found: string,
): Promise<string> {
  await writeEvidence(store, backup.prefix, { restoreMs, on, outcome: 'good', findings: [found] })
  return `restored in ${duration(restoreMs)} (RTO)`
}

/** Records that a backup is no good, and why, and ends with that. */
export async function condemn(
  { store, backup, on }: Trial,
  restoreMs: number,
  findings: string[],
): Promise<never> {
  const evidence = { restoreMs, on, outcome: 'bad' as const, findings }
  const recorded = await writeEvidence(store, backup.prefix, evidence).then(
    () => 'this is recorded with it',
    (error: unknown) =>
      `this could not be recorded: ${error instanceof Error ? error.message : String(error)}`,
  )
  throw new TaskError(`${backup.id} of ${nameOf(backup.subject)} is no good backup; ${recorded}`, {
    seen: findings.join('\n'),
    next: 'npx tsx tasks/backup-now.ts   # makes another one',
  })
}

/** Records what is certain to be the backup's own fault, and throws. */
export async function judge(trial: Trial, restoreMs: number, error: unknown): Promise<never> {
  const explained = await explain(error)
  if (!(explained instanceof BadBackup)) throw error
  const seen = (explained.seen ?? '').split('\n').filter((line) => line !== '')
  return condemn(trial, restoreMs, [explained.message, ...seen])
}

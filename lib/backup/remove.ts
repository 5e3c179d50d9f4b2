import type { Store } from '../s3/store.ts'
import { assertProof, type Proof } from '../task/confirm.ts'
import { TaskError } from '../task/errors.ts'
import type { Backup } from './backups.ts'
import { evidenceFolder, manifestName } from './layout.ts'
import type { Plan } from './plan.ts'
import { nameOf } from './subject.ts'

/**
 * Removes what a plan says goes, the oldest first. A run that is cut off leaves at most one backup half removed, and
 * that one has no manifest: it is nobody's backup any more, and the next run takes the rest.
 *
 * @param bucket what the operator has agreed to have things removed from
 */
export async function removePlanned(
  store: Pick<Store, 'remove' | 'abortUpload'>,
  { removed, aborted }: Plan,
  proof: Proof,
  bucket: string,
): Promise<void> {
  assertProof(proof, bucket)
  for (const upload of aborted) await store.abortUpload(upload)
  for (const { backup } of removed.toReversed()) await removeBackup(store, backup)
}

async function removeBackup(store: Pick<Store, 'remove'>, backup: Backup): Promise<void> {
  const keys = removalOrder(backup)
  for (const [count, key] of keys.entries()) {
    try {
      await store.remove(key)
    } catch (error) {
      if (!(error instanceof TaskError)) throw error
      const state = `${count} of ${keys.length} objects of ${nameOf(backup.subject)} ${backup.id} are removed; nothing else was begun, and the next run takes the rest`
      throw new TaskError(`${error.message}\n${state}`, {
        seen: error.seen,
        next: error.next,
        code: error.code,
        cause: error,
      })
    }
  }
}

/** The manifest first, then the evidence: what is left is a run that was cut off, and looks like one. */
function removalOrder({ prefix, objects }: Backup): string[] {
  const rank = (key: string): number => {
    if (key === `${prefix}${manifestName}`) return 0
    return key.startsWith(`${prefix}${evidenceFolder}`) ? 1 : 2
  }
  return objects.map(({ key }) => key).toSorted((a, b) => rank(a) - rank(b))
}

/**
 * Looks whether it came as planned.
 * @returns ids that the store still lists; some stores do so for a while
 * @throws TaskError when a backup that stays is not as it was
 */
export function provePlan({ subject, kept, removed }: Plan, now: readonly Backup[]): string[] {
  const hurt = kept.flatMap(({ backup }) => {
    const found = now.find(({ id }) => id === backup.id)
    // What was still being made, or restored, has come further meanwhile.
    return backup.state !== 'whole' || found?.state === 'whole'
      ? []
      : [`${backup.id}: ${found?.why ?? 'gone'}`]
  })
  if (hurt.length > 0) {
    throw new TaskError(`backups of ${nameOf(subject)} that should stay are not whole any more`, {
      seen: hurt.join('\n'),
      next: 'stop whoever else removes things from this bucket; where it keeps versions, get them back from there',
    })
  }
  return removed.flatMap(({ backup }) => (now.some(({ id }) => id === backup.id) ? [backup.id] : []))
}

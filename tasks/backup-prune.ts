/**
 * Removes the backups that the policy of the inventory (backup.keep) does not keep, runs that were cut off, and uploads
 * that nobody ended. Counts from the last backup that was verified. Safe to run again: a second run removes nothing.
 *
 *   npx tsx tasks/backup-prune.ts --dry-run
 *   npx tsx tasks/backup-prune.ts                # asks you to type the name of the bucket
 *   npx tsx tasks/backup-prune.ts --yes --quiet  # cron
 */
import * as z from 'zod'

import { readBackups } from '../lib/backup/backups.ts'
import { readHolding } from '../lib/backup/holding.ts'
import { agreed, amountOf, describePlan, isEmpty, type Plan, planData, planOf } from '../lib/backup/plan.ts'
import { provePlan, removePlanned } from '../lib/backup/remove.ts'
import { nameOf, type Subject } from '../lib/backup/subject.ts'
import { backupOf, chosenSubjects, openStore, storeSecrets } from '../lib/backup/target.ts'
import type { Store } from '../lib/s3/store.ts'
import type { Proof } from '../lib/task/confirm.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  only: z
    .array(z.string())
    .optional()
    .meta({ description: 'only this database (or cluster/database) or host:/folder', placeholder: 'NAME' }),
})
type Flags = z.output<typeof flags>

export const task = defineTask({
  name: 'backup-prune',
  summary: 'Remove the backups that the policy does not keep',
  details:
    'The policy is backup.keep of the inventory. It is counted from the last backup that was verified: neither that ' +
    'one nor anything newer is removed, nor any while fewer than the minimum are verified. What the inventory does ' +
    'not have backed up any more is left alone. Safe to run again.',
  examples: [
    'npx tsx tasks/backup-prune.ts --dry-run',
    'npx tsx tasks/backup-prune.ts',
    'npx tsx tasks/backup-prune.ts --yes --quiet   # cron',
  ],
  flags,
  preflight: ({ estate, flags: { only } }) => {
    chosenSubjects(estate, only)
    return { problems: [], secrets: storeSecrets(backupOf(estate)), reach: [] }
  },
  async run(session) {
    const subjects = chosenSubjects(session.estate, session.flags.only)
    const { store, now, plans } = await session.step('Decide what stays', async (step) => {
      const opened = await openStore(session)
      const time = await opened.clock()
      const found: Plan[] = []
      for (const subject of subjects) found.push(await planFor(session, opened, subject, time))
      step.title = `Decide what stays in ${opened.name}`
      return { store: opened, now: time, plans: found }
    })
    for (const plan of plans) session.show('backup-prune', planData(plan), describePlan(plan, now))
    const due = plans.filter((plan) => !isEmpty(plan))
    if (due.length === 0) {
      session.note('nothing is to be removed')
      return
    }
    const { bucket } = store.entry
    const proof = await session.confirm(bucket, `This removes ${amountOf(due)} from ${store.name}.`)
    for (const plan of due) await prune(session, store, plan, proof)
  },
})

async function planFor(session: Session<Flags>, store: Store, subject: Subject, now: Date): Promise<Plan> {
  const holding = await readHolding(store, session.estate, subject)
  return planOf(holding, backupOf(session.estate).keep, now)
}

async function prune(session: Session<Flags>, store: Store, first: Plan, proof: Proof): Promise<void> {
  const { subject } = first
  const name = nameOf(subject)
  await session.step(
    `Prune ${name}`,
    async (step) => {
      // The answer may have taken an hour, and the last verified one may be bad by now.
      const plan = agreed(first, await planFor(session, store, subject, await store.clock()))
      await removePlanned(store, plan, proof, store.entry.bucket)
      step.detail = isEmpty(plan) ? 'nothing is to be removed any more' : `${amountOf([plan])} removed`
      return plan
    },
    async (plan) => {
      const listed = provePlan(plan, await readBackups(store, session.estate, subject))
      if (listed.length > 0) session.warn(`${name}: the store still lists ${listed.join(', ')}`)
    },
  )
}

await runIfMain(import.meta, task)

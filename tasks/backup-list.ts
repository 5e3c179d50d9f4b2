/**
 * Shows the backups in the store: when they were taken, whether they are whole, when they were restored last, and
 * what is missing. Changes nothing.
 *
 *   npx tsx tasks/backup-list.ts
 *   npx tsx tasks/backup-list.ts --only weltenwind
 *   npx tsx tasks/backup-list.ts --json | jq 'select(.event == "data").data | {subject, newest, verified, warnings}'
 */
import * as z from 'zod'

import { holdingData } from '../lib/backup/data.ts'
import { type Holding, readHolding, strangersIn } from '../lib/backup/holding.ts'
import { describeHolding } from '../lib/backup/listing.ts'
import { nameOf } from '../lib/backup/subject.ts'
import { backupOf, chosenSubjects, openStore, storeSecrets } from '../lib/backup/target.ts'
import { holdingWarnings } from '../lib/backup/warnings.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  only: z
    .array(z.string())
    .optional()
    .meta({ description: 'only this database (or cluster/database) or host:/folder', placeholder: 'NAME' }),
})

export const task = defineTask({
  name: 'backup-list',
  summary: 'Show the backups in the store, and what is missing',
  details:
    'Changes nothing. A backup is verified when its last restore was good. What is missing or not well is a warning, ' +
    'and the exit code is 0 all the same; it is 3 when the store does not answer.',
  examples: ['npx tsx tasks/backup-list.ts', 'npx tsx tasks/backup-list.ts --only weltenwind --json'],
  flags,
  preflight: ({ estate, flags: { only } }) => {
    chosenSubjects(estate, only)
    return { problems: [], secrets: storeSecrets(backupOf(estate)), reach: [] }
  },
  async run(session) {
    const { estate } = session
    const { only } = session.flags
    const wanted = chosenSubjects(estate, only)
    const { now, holdings } = await session.step('Read what is in the store', async (step) => {
      const store = await openStore(session)
      step.title = `Read what is in ${store.name}`
      const time = await store.clock()
      const others = only ? [] : await strangersIn(store, estate, wanted)
      const found: Holding[] = []
      for (const subject of [...wanted, ...others]) found.push(await readHolding(store, estate, subject))
      return { now: time, holdings: found }
    })
    for (const holding of holdings) {
      const isWanted = wanted.includes(holding.subject)
      const warnings = isWanted
        ? holdingWarnings(holding, backupOf(estate).keep, now)
        : [`${nameOf(holding.subject)}: the inventory does not have it backed up; nothing of it is pruned`]
      session.show(
        'backup-subject',
        holdingData(holding, isWanted, now, warnings),
        describeHolding(holding, now),
      )
      for (const warning of warnings) session.warn(warning)
    }
  },
})

await runIfMain(import.meta, task)

/**
 * Backs up databases and folders: dumps them on their machine, encrypts, stores, reads back what was stored, and
 * writes the manifest last. Changes nothing on the machines. Safe to run again: each run makes a backup of its own.
 *
 *   npx tsx tasks/backup-now.ts                          # all that the inventory has backed up
 *   npx tsx tasks/backup-now.ts --only weltenwind
 *   npx tsx tasks/backup-now.ts --quiet                  # cron: says nothing when all is well
 */
import * as z from 'zod'

import { eachSubject } from '../lib/backup/each.ts'
import { backUpFolder } from '../lib/backup/folder/back-up.ts'
import { backUpMongo } from '../lib/backup/mongo/back-up.ts'
import { backUpDatabase } from '../lib/backup/postgres/back-up.ts'
import {
  backupOf,
  checkRecipients,
  chosenSubjects,
  mongoSecrets,
  stepIntoStore,
  storeSecrets,
} from '../lib/backup/target.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  only: z
    .array(z.string())
    .optional()
    .meta({ description: 'only this database (or cluster/database) or host:/folder', placeholder: 'NAME' }),
})

export const task = defineTask({
  name: 'backup-now',
  summary: 'Back up databases and folders to the store',
  details:
    'Each is dumped on its own machine, encrypted with age, stored, read back and compared; its manifest is written ' +
    'last and makes it a backup. One that fails does not stop the others. Safe to run again.',
  examples: [
    'npx tsx tasks/backup-now.ts',
    'npx tsx tasks/backup-now.ts --only weltenwind',
    'npx tsx tasks/backup-now.ts --quiet   # cron',
  ],
  flags,
  preflight: ({ estate, flags: { only } }) => {
    const subjects = chosenSubjects(estate, only)
    const clusters = subjects.flatMap((subject) =>
      subject.kind === 'postgres' ? [estate.cluster(subject.cluster)] : [],
    )
    return {
      problems: subjects.length === 0 ? [`${estate.file} has nothing to back up`] : [],
      secrets: [
        ...storeSecrets(backupOf(estate)),
        ...clusters.flatMap((one) => ('url' in one ? [one.url] : [])),
        ...mongoSecrets(estate, subjects),
      ],
      // Not here, where a machine that does not answer would stop the others.
      reach: [],
    }
  },
  async run(session) {
    await checkRecipients(session.estate)
    const store = await stepIntoStore(session)
    await eachSubject(session, 'backed up', (subject) => {
      switch (subject.kind) {
        case 'postgres':
          return backUpDatabase(session, store, subject)
        case 'mongo':
          return backUpMongo(session, store, subject)
        case 'folder':
          return backUpFolder(session, store, subject)
      }
    })
  },
})

await runIfMain(import.meta, task)

/**
 * Restores the newest backup of each database and folder beside the others, compares it with what was backed up, asks
 * the inventory's own questions, and records what came of it beside the backup. What was restored is dropped at the
 * end; nothing else is changed. Safe to run again: a run drops what one before it has left.
 *
 *   npx tsx tasks/backup-verify.ts                          # the newest of each
 *   npx tsx tasks/backup-verify.ts --only weltenwind --backup 20261124T023000Z
 *   npx tsx tasks/backup-verify.ts --only vm-app:/srv/uploads
 *   npx tsx tasks/backup-verify.ts --quiet                  # cron: says nothing when all is well
 */
import * as z from 'zod'

import { eachSubject } from '../lib/backup/each.ts'
import { verifyFolder } from '../lib/backup/folder/verify.ts'
import { verifyMongo } from '../lib/backup/mongo/verify.ts'
import { verifyDatabase } from '../lib/backup/postgres/verify.ts'
import {
  backupOf,
  chosenSubjects,
  identityProblems,
  mongoSecrets,
  restoreSecrets,
  scratchClusterOf,
  stepIntoStore,
} from '../lib/backup/target.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  only: z
    .array(z.string())
    .optional()
    .meta({ description: 'only this database (or cluster/database) or host:/folder', placeholder: 'NAME' }),
  backup: z
    .string()
    .optional()
    .meta({ description: 'this backup instead of the newest one; with one --only', placeholder: 'ID' }),
})

export const task = defineTask({
  name: 'backup-verify',
  summary: 'Restore the newest backups to look at them, and compare',
  details:
    'Each database is restored into a new one beside the others, compared with what was dumped (tables, rows, ' +
    'migrations), asked the checks of the inventory, and dropped; each folder is unpacked beside the present one, ' +
    'compared and removed. What came of it is recorded beside the backup. One that fails does not stop the others. ' +
    'Safe to run again.',
  examples: [
    'npx tsx tasks/backup-verify.ts',
    'npx tsx tasks/backup-verify.ts --only weltenwind --backup 20261124T023000Z',
    'npx tsx tasks/backup-verify.ts --quiet   # cron',
  ],
  flags,
  preflight: ({ estate, flags: { only, backup } }) => {
    const subjects = chosenSubjects(estate, only)
    const clusters = new Set(
      subjects.flatMap((subject) => (subject.kind === 'postgres' ? scratchClusterOf(estate, subject) : [])),
    )
    return {
      problems: [
        ...identityProblems(estate),
        ...(subjects.length === 0 ? [`${estate.file} has nothing to back up`] : []),
        ...(backup !== undefined && subjects.length !== 1 ? ['--backup goes with one --only'] : []),
      ],
      secrets: [
        ...restoreSecrets(backupOf(estate)),
        ...mongoSecrets(estate, subjects),
        ...[...clusters].flatMap((name) => {
          const cluster = estate.cluster(name)
          return 'url' in cluster ? [cluster.url] : []
        }),
      ],
      // Not here, where a machine that does not answer would stop the others.
      reach: [],
    }
  },
  async run(session) {
    const store = await stepIntoStore(session)
    await eachSubject(session, 'verified', (subject) => {
      switch (subject.kind) {
        case 'postgres':
          return verifyDatabase(session, store, subject)
        case 'mongo':
          return verifyMongo(session, store, subject)
        case 'folder':
          return verifyFolder(session, store, subject)
      }
    })
  },
})

await runIfMain(import.meta, task)

/**
 * Brings a database back from its backup: restores it beside the present one, compares it with what was dumped, and
 * only then gives it the name. The present one is kept under another name, one command away. Also for one that is
 * gone, and on a new machine that pg-setup has set up. Safe to run again.
 *
 *   npx tsx tasks/backup-restore.ts --database weltenwind --dry-run
 *   npx tsx tasks/backup-restore.ts --database weltenwind            # the newest verified one; asks you to type "weltenwind"
 *   npx tsx tasks/backup-restore.ts --database weltenwind --backup 20261124T023000Z
 *   npx tsx tasks/backup-restore.ts --database weltenwind --undo     # puts the one before the restore back
 */
import { z } from 'zod'

import { databasePreflight } from '../lib/backup/postgres/restore-preflight.ts'
import { restoreDatabase } from '../lib/backup/postgres/restore.ts'
import { restoreSubject } from '../lib/backup/restore-flags.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  database: z.string().meta({ description: 'the database, as the inventory calls it', placeholder: 'NAME' }),
  backup: z
    .string()
    .optional()
    .meta({ description: 'this backup instead of the newest verified one', placeholder: 'ID' }),
  confirm: z
    .string()
    .optional()
    .meta({ description: 'allow it for this production database', placeholder: 'NAME' }),
  undo: z.boolean().default(false).describe('put the database back that the restore has replaced'),
})
export const task = defineTask({
  name: 'backup-restore',
  summary: 'Bring a database back from its backup',
  details:
    'The newest verified backup is restored into a new database beside the present one and compared with what was ' +
    'dumped; then the two change names in one step. The present one is kept as <name>__before_restore_<UTC time>; ' +
    '--undo puts it back. Whatever fails before leaves it as it is. Safe to run again.',
  examples: [
    'npx tsx tasks/backup-restore.ts --database weltenwind --dry-run',
    'npx tsx tasks/backup-restore.ts --database weltenwind',
    'npx tsx tasks/backup-restore.ts --database weltenwind --backup 20261124T023000Z',
    'npx tsx tasks/backup-restore.ts --database weltenwind --undo',
  ],
  flags,
  preflight: ({ estate, flags: given }) => {
    const subject = restoreSubject(estate, given)
    switch (subject.kind) {
      case 'postgres':
        return databasePreflight(estate, subject, given)
      case 'folder':
        throw new Error('no flag names a folder')
    }
  },
  async run(session) {
    const subject = restoreSubject(session.estate, session.flags)
    switch (subject.kind) {
      case 'postgres':
        return restoreDatabase(session, subject)
      case 'folder':
        throw new Error('no flag names a folder')
    }
  },
})

await runIfMain(import.meta, task)

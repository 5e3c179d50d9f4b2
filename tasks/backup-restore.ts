/**
 * Brings a database or a folder back from its backup: restores it beside the present one, compares it with what was
 * backed up, and only then gives it the name. The present one is kept under another name, one command away. Also for
 * one that is gone, and on a new machine. Of MongoDB it is the collections that change names. Safe to run again: what
 * one before has begun is finished.
 *
 *   npx tsx tasks/backup-restore.ts --database weltenwind --dry-run
 *   npx tsx tasks/backup-restore.ts --database weltenwind            # the newest verified one; asks you to type "weltenwind"
 *   npx tsx tasks/backup-restore.ts --database weltenwind --backup 20261124T023000Z
 *   npx tsx tasks/backup-restore.ts --database weltenwind --undo     # puts the one before the restore back
 *   npx tsx tasks/backup-restore.ts --folder vm-app:/srv/uploads --confirm vm-app:/srv/uploads
 *   npx tsx tasks/backup-restore.ts --folder vm-app:/srv/uploads --into spare:/srv/uploads
 */
import * as z from 'zod'

import { restoreFolder } from '../lib/backup/folder/restore.ts'
import { folderPreflight } from '../lib/backup/folder/target.ts'
import { mongoPreflight } from '../lib/backup/mongo/restore-preflight.ts'
import { restoreMongo } from '../lib/backup/mongo/restore.ts'
import { databasePreflight } from '../lib/backup/postgres/restore-preflight.ts'
import { restoreDatabase } from '../lib/backup/postgres/restore.ts'
import { restoreSubject } from '../lib/backup/restore-flags.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  database: z
    .string()
    .optional()
    .meta({ description: 'the database, as the inventory calls it', placeholder: 'NAME' }),
  folder: z.string().optional().meta({ description: 'or the folder', placeholder: 'HOST:/PATH' }),
  into: z
    .string()
    .optional()
    .meta({ description: 'restore the folder there instead', placeholder: 'HOST:/PATH' }),
  backup: z
    .string()
    .optional()
    .meta({ description: 'this backup instead of the newest verified one', placeholder: 'ID' }),
  confirm: z
    .string()
    .optional()
    .meta({ description: 'allow it for this production database or folder', placeholder: 'NAME' }),
  undo: z.boolean().default(false).describe('put back what the restore has replaced'),
})

export const task = defineTask({
  name: 'backup-restore',
  summary: 'Bring a database or a folder back from its backup',
  details:
    'The newest verified backup is restored beside the present database or folder and compared with what was backed ' +
    'up; then the two change names. The present one is kept as <name>__before_restore_<UTC time>; --undo puts it back. ' +
    'Of MongoDB it is the collections of the database that change names, one after the other. ' +
    'Whatever fails before leaves it as it is. Safe to run again.',
  examples: [
    'npx tsx tasks/backup-restore.ts --database weltenwind --dry-run',
    'npx tsx tasks/backup-restore.ts --database weltenwind',
    'npx tsx tasks/backup-restore.ts --database weltenwind --backup 20261124T023000Z',
    'npx tsx tasks/backup-restore.ts --database weltenwind --undo',
    'npx tsx tasks/backup-restore.ts --folder vm-app:/srv/uploads --into spare:/srv/uploads',
  ],
  flags,
  preflight: ({ estate, flags: given }) => {
    const subject = restoreSubject(estate, given)
    switch (subject.kind) {
      case 'postgres':
        return databasePreflight(estate, subject, given)
      case 'folder':
        return folderPreflight(estate, subject, given)
      case 'mongo':
        return mongoPreflight(estate, subject, given)
    }
  },
  async run(session) {
    const subject = restoreSubject(session.estate, session.flags)
    switch (subject.kind) {
      case 'postgres':
        return restoreDatabase(session, subject)
      case 'folder':
        return restoreFolder(session, subject)
      case 'mongo':
        return restoreMongo(session, subject)
    }
  },
})

await runIfMain(import.meta, task)

import type { Estate } from '../inventory/estate.ts'
import { databaseTarget } from '../postgres/target.ts'
import type { Subject } from './subject.ts'

/** Those of backup-restore. */
export interface RestoreFlags {
  database: string
  backup?: string | undefined
  confirm?: string | undefined
  undo: boolean
}

/** What the flags want restored, whether or not the inventory has it backed up. @throws EstateError */
export function restoreSubject(estate: Estate, flags: Pick<RestoreFlags, 'database'>): Subject {
  const { cluster, name } = databaseTarget(estate, flags.database)
  return { kind: 'postgres', cluster, database: name }
}

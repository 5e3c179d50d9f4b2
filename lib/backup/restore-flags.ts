import type { Estate } from '../inventory/estate.ts'
import { databaseTarget } from '../postgres/target.ts'
import { fromProblems } from '../task/errors.ts'
import { parseFolder, type Subject } from './subject.ts'

/** Those of backup-restore. */
export interface RestoreFlags {
  database?: string | undefined
  folder?: string | undefined
  into?: string | undefined
  backup?: string | undefined
  confirm?: string | undefined
  undo: boolean
}

/**
 * What the flags want restored, whether or not the inventory has it backed up.
 * @throws EstateError, TaskError
 */
export function restoreSubject(estate: Estate, { database, folder, into }: RestoreFlags): Subject {
  if ((database === undefined) === (folder === undefined)) {
    throw fromProblems(['one thing at a time: --database NAME or --folder HOST:/PATH'])
  }
  if (folder !== undefined) return parseFolder(folder)
  if (into !== undefined) throw fromProblems(['--into goes with --folder'])
  const { cluster, name } = databaseTarget(estate, database ?? '')
  return { kind: 'postgres', cluster, database: name }
}

import { EstateError } from '../inventory/errors.ts'
import type { Estate } from '../inventory/estate.ts'
import { suggestion } from '../inventory/nearest.ts'
import { fromProblems } from '../task/errors.ts'
import { databasesOf, isNamed, nameOf, parseFolder, type Subject } from './subject.ts'

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
 * @throws EstateError for a name that the inventory does not have, or has twice; TaskError
 */
export function restoreSubject(estate: Estate, { database, folder, into }: RestoreFlags): Subject {
  if (folder !== undefined && database === undefined) return parseFolder(folder)
  if (folder !== undefined || database === undefined) {
    throw fromProblems(['one thing at a time: --database NAME or --folder HOST:/PATH'])
  }
  if (into !== undefined) throw fromProblems(['--into goes with --folder'])
  const all = databasesOf(estate)
  const found = all.filter((subject) => isNamed(subject, database))
  const [first, second] = found
  if (first && !second) return first
  const names = all.map((subject) => (database.includes('/') ? nameOf(subject) : subject.database))
  throw second
    ? new EstateError(
        `${found.length} clusters have a database "${database}"`,
        `Say which one: ${found.map((subject) => nameOf(subject)).join(' or ')}`,
      )
    : new EstateError(`${estate.file} has no database "${database}"`, suggestion(database, names))
}

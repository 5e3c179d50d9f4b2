import type { Estate } from '../../inventory/estate.ts'
import { copyName } from '../../postgres/kept.ts'
import { clusterNeeds, confirmProblems, databaseTarget } from '../../postgres/target.ts'
import type { Preflight } from '../../task/task.ts'
import type { RestoreFlags } from '../restore-flags.ts'
import { type DatabaseSubject, nameOf } from '../subject.ts'
import { backupOf, identityProblems, restoreSecrets } from '../target.ts'

/** Everything that speaks against it and can be told from flags and inventory alone. */
export function databasePreflight(estate: Estate, subject: DatabaseSubject, flags: RestoreFlags): Preflight {
  const target = databaseTarget(estate, nameOf(subject))
  const { secrets, reach } = clusterNeeds(estate, target)
  const problems = confirmProblems(target, flags)
  if (flags.undo) {
    if (flags.backup !== undefined)
      problems.push('--undo goes with --database, --confirm and the common flags only')
    return { problems, secrets, reach }
  }
  problems.push(...identityProblems(estate))
  try {
    copyName(target.name, 'before_restore', new Date(0))
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error))
  }
  return {
    problems,
    secrets: [...restoreSecrets(backupOf(estate)), ...secrets],
    // Not its pooler: it matters only where there is a database that clients are connected to.
    reach,
  }
}

import type { Estate } from '../../inventory/estate.ts'
import { poolerReach } from '../../pgbouncer/poolers.ts'
import type { Preflight } from '../../task/task.ts'
import { copyName } from '../kept.ts'
import {
  appProblems,
  clusterNeeds,
  confirmProblems,
  type DatabaseFlags,
  type DatabaseTarget,
  databaseTarget,
} from '../target.ts'

export interface ResetFlags extends DatabaseFlags {
  skipMigrate: boolean
  skipSeed: boolean
  discard: boolean
  undo: boolean
  discardKept: boolean
}

/** Everything that speaks against it and can be told from flags and inventory alone. */
export function resetPreflight(estate: Estate, flags: ResetFlags): Preflight {
  const target = databaseTarget(estate, flags.database)
  const problems = confirmProblems(target, flags)
  if (flags.undo && (flags.discard || flags.discardKept || flags.skipMigrate || flags.skipSeed)) {
    problems.push('--undo goes with --database, --confirm and the common flags only')
  }
  if (flags.discardKept && (flags.discard || flags.skipMigrate || flags.skipSeed))
    problems.push('--discard-kept removes old copies only; run it by itself')
  const fills = !flags.undo && !flags.discardKept
  if (fills) problems.push(...fillProblems(estate, target, flags))
  const owner = estate.cluster(target.cluster).roles[target.database.owner]
  const { secrets, reach } = clusterNeeds(estate, target)
  return {
    problems,
    secrets: [...(fills && target.app && owner?.password ? [owner.password] : []), ...secrets],
    reach: [
      ...reach,
      // Not to put the old one back: that must not wait for a pooler's machine.
      ...(flags.undo || flags.discardKept ? [] : poolerReach(estate, target.cluster)),
      ...(fills && target.app ? [[{ host: target.app.entry.host }]] : []),
    ],
  }
}

function fillProblems(estate: Estate, target: DatabaseTarget, flags: ResetFlags): string[] {
  const { name, cluster, database, app } = target
  const problems: string[] = []
  try {
    copyName(name, 'before_reset', new Date(0))
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error))
  }
  problems.push(...appProblems(estate, target))
  if (!flags.skipMigrate && !app?.entry.migrate) {
    problems.push(
      `no app in ${estate.file} has a migrate command for ${name}; add it to apps, or give --skip-migrate`,
    )
  }
  if (!flags.skipSeed && !app?.entry.seed) {
    problems.push(
      `no app in ${estate.file} has a seed command for ${name}; add it to apps, or give --skip-seed`,
    )
  }
  if (app && !estate.cluster(cluster).roles[database.owner]?.password) {
    problems.push(`role ${database.owner} has no password in ${estate.file}: its login could not be proven`)
  }
  return problems
}

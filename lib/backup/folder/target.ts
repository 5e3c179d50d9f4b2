import type { Estate } from '../../inventory/estate.ts'
import type { Environment } from '../../inventory/inventory.ts'
import type { Preflight } from '../../task/task.ts'
import type { RestoreFlags } from '../restore-flags.ts'
import { type FolderSubject, nameOf, parseFolder } from '../subject.ts'
import { backupOf, identityProblems, restoreSecrets } from '../target.ts'

/** A folder that is to be there after a restore. */
export interface FolderTarget {
  host: string
  path: string
  /** What is there is production, unless the inventory says that it is not. */
  environment: Environment
}

/** @throws EstateError when the inventory does not have the machine */
export function folderTarget(
  estate: Estate,
  subject: FolderSubject,
  { into }: Pick<RestoreFlags, 'into'>,
): FolderTarget {
  const { host, path } = into === undefined ? subject : parseFolder(into)
  // It has the nearest name at hand.
  estate.host(host)
  const entry = backupOf(estate).folders.find((one) => one.host === host && one.path === path)
  return { host, path, environment: entry?.environment ?? 'production' }
}

/** Everything that speaks against it and can be told from flags and inventory alone. */
export function folderPreflight(estate: Estate, subject: FolderSubject, flags: RestoreFlags): Preflight {
  const target = folderTarget(estate, subject, flags)
  const name = nameOf({ kind: 'folder', ...target })
  const problems: string[] = []
  if (flags.confirm !== undefined && flags.confirm !== name) {
    problems.push(`--confirm ${flags.confirm} does not name the folder ${name}`)
  }
  const reach = [[{ host: target.host, as: 'root' }]]
  if (flags.undo) {
    if (flags.backup !== undefined)
      problems.push('--undo goes with --folder, --into, --confirm and the common flags only')
    return { problems, secrets: [], reach }
  }
  problems.push(...identityProblems(estate))
  return { problems, secrets: restoreSecrets(backupOf(estate)), reach }
}

import type { Estate } from '../../inventory/estate.ts'
import type { Preflight } from '../../task/task.ts'
import { appProblems, clusterNeeds, confirmProblems, type DatabaseFlags, databaseTarget } from '../target.ts'

/** What speaks against running an app's command on its database, by flags and inventory alone. */
export function commandPreflight(
  estate: Estate,
  flags: DatabaseFlags,
  command: 'migrate' | 'seed',
): Preflight {
  const target = databaseTarget(estate, flags.database)
  const { secrets, reach } = clusterNeeds(estate, target)
  const missing = target.app?.entry[command] === undefined
  return {
    problems: [
      ...confirmProblems(target, flags),
      ...appProblems(estate, target),
      ...(missing ? [`no app in ${estate.file} has a ${command} command for ${target.name}`] : []),
    ],
    secrets,
    reach: [...reach, ...(target.app ? [[{ host: target.app.entry.host }]] : [])],
  }
}

import type { Estate } from '../../inventory/estate.ts'
import { confirmProblems } from '../../postgres/target.ts'
import type { Preflight } from '../../task/task.ts'
import type { RestoreFlags } from '../restore-flags.ts'
import type { MongoSubject } from '../subject.ts'
import { backupOf, identityProblems, mongoSecrets, restoreSecrets } from '../target.ts'

/** Everything that speaks against it and can be told from flags and inventory alone. */
export function mongoPreflight(estate: Estate, subject: MongoSubject, flags: RestoreFlags): Preflight {
  const { databases, hosts } = estate.mongoCluster(subject.cluster)
  const database = databases[subject.database]
  const problems = database ? confirmProblems({ name: subject.database, database }, flags) : []
  const secrets = mongoSecrets(estate, [subject])
  const reach = [hosts.map((host) => ({ host }))]
  if (flags.undo) {
    if (flags.backup !== undefined)
      problems.push('--undo goes with --database, --confirm and the common flags only')
    return { problems, secrets, reach }
  }
  problems.push(...identityProblems(estate))
  return { problems, secrets: [...restoreSecrets(backupOf(estate)), ...secrets], reach }
}

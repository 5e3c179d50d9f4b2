import type { Estate } from '../../inventory/estate.ts'
import type { Environment } from '../../inventory/inventory.ts'
import { TaskError } from '../../task/errors.ts'
import { readDatabases } from '../catalog.ts'
import type { Server } from '../server.ts'
import { gravest, type ShellTarget } from './target.ts'

/** What the operator is to know before the first statement. */
export interface Surroundings {
  environment: Environment | undefined
  warnings: string[]
}

/**
 * Sees whether the database is there and for what its mark takes it: when the mark and the inventory differ, the
 * graver of the two counts.
 * @throws TaskError when nobody could connect to it
 */
export async function lookAround(
  estate: Estate,
  server: Server,
  { cluster, database, environment }: ShellTarget,
): Promise<Surroundings> {
  const warnings: string[] = []
  let grave = environment
  if (database !== undefined) {
    const facts = (await readDatabases(server)).find(({ name }) => name === database)
    if (!facts) throw new TaskError(`there is no database ${database} on ${server.name}`)
    if (!facts.allowsConnections) {
      throw new TaskError(
        `${database} on ${server.name} accepts no connections: a reset closed it, or somebody did`,
      )
    }
    const marked = facts.mark.environment
    if (marked !== undefined && environment !== undefined && marked !== environment) {
      grave = gravest([marked, environment])
      warnings.push(
        `${database} is ${environment} in ${estate.file}, and ${marked} by its mark on ${server.name}; one of the two is wrong`,
      )
    }
  }
  if (grave === 'production') {
    warnings.push(
      `${database ?? server.name} is production: what you type is done at once, and nothing takes it back`,
    )
  }
  const graver = Object.entries(estate.cluster(cluster).databases).flatMap(([name, other]) =>
    grave !== undefined && other.environment !== grave && gravest([other.environment, grave]) !== grave
      ? [`${name} (${other.environment})`]
      : [],
  )
  if (graver.length > 0) {
    warnings.push(`the prompt says ${grave} also after \\c to ${graver.join(', ')} on the same server`)
  }
  return { environment: grave, warnings }
}

import type { Estate } from '../../inventory/estate.ts'
import { Environment } from '../../inventory/inventory.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import type { Preflight } from '../../task/task.ts'

export interface ShellFlags {
  cluster?: string | undefined
  database?: string | undefined
}

/** Where a shell is to be opened. */
export interface ShellTarget {
  cluster: string
  /** undefined: the maintenance database */
  database: string | undefined
  /** Of that database, or the gravest of all of the cluster; undefined where the inventory names none. */
  environment: Environment | undefined
}

/**
 * The database that is named; else the cluster's maintenance database; else the only database of the estate.
 * @throws EstateError for a name that the inventory does not have, TaskError when one has to be named
 */
export function shellTarget(estate: Estate, { cluster, database }: ShellFlags): ShellTarget {
  if (database !== undefined) {
    if (cluster !== undefined) estate.cluster(cluster)
    const found = estate.findDatabase(cluster === undefined ? database : `${cluster}/${database}`)
    return { cluster: found.clusterName, database: found.name, environment: found.database.environment }
  }
  if (cluster !== undefined) {
    const all = Object.values(estate.cluster(cluster).databases)
    return { cluster, database: undefined, environment: gravest(all.map(({ environment }) => environment)) }
  }
  const all = Object.entries(estate.postgres).flatMap(([name, { databases }]) =>
    Object.entries(databases).map(([one, { environment }]) => ({
      cluster: name,
      database: one,
      environment,
    })),
  )
  const [only, ...others] = all
  if (only && others.length === 0) return only
  throw new TaskError(
    only
      ? `${estate.file} has ${all.length} databases: ${all.map((one) => `${one.cluster}/${one.database}`).join(', ')}`
      : `${estate.file} has no PostgreSQL database`,
    {
      code: exitCode.usage,
      next: only ? 'say which one with --database NAME' : 'say which cluster with --cluster NAME',
    },
  )
}

/** The one whose loss would cost most: they stand in that order. */
export function gravest(environments: readonly Environment[]): Environment | undefined {
  return Environment.options.find((one) => environments.includes(one))
}

/** What it takes to open one there. */
export function shellNeeds(estate: Estate, { cluster: name }: ShellTarget): Preflight {
  const cluster = estate.cluster(name)
  if ('hosts' in cluster) {
    const reach = [cluster.hosts.map((host) => ({ host, as: 'postgres' }))]
    return { problems: [], secrets: [], reach }
  }
  if ('container' in cluster)
    return { problems: [], secrets: [], reach: [[{ host: cluster.container.host }]] }
  if (cluster.via !== undefined) {
    return { problems: [], secrets: [cluster.url], reach: [[{ host: cluster.via }]] }
  }
  const problem =
    `${name} is known by its URL alone, and psql has to run on a machine that reaches it: ` +
    `name one at postgres.${name}.via in ${estate.file}`
  return { problems: [problem], secrets: [cluster.url], reach: [] }
}

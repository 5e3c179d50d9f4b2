import * as z from 'zod'

import type { Estate } from '../inventory/estate.ts'
import type { App, Database, Environment } from '../inventory/inventory.ts'
import type { Preflight } from '../task/task.ts'

/** The flags of every task that works on one database. */
export const databaseFlags = z.object({
  database: z.string().meta({ description: 'the database, as the inventory calls it', placeholder: 'NAME' }),
  confirm: z
    .string()
    .optional()
    .meta({ description: 'allow it for this production database', placeholder: 'NAME' }),
})
export type DatabaseFlags = z.output<typeof databaseFlags>

/** What the inventory says about the database that a task works on. */
export interface DatabaseTarget {
  /** As the operator called it: two clusters may have one of that name. */
  asked: string
  name: string
  cluster: string
  database: Database
  /** The app that fills it, and its name in the inventory. */
  app: { name: string; entry: App } | undefined
}

/** @throws EstateError for a name that the inventory does not have, or has twice */
export function databaseTarget(estate: Estate, name: string): DatabaseTarget {
  const found = estate.findDatabase(name)
  const { clusterName, database } = found
  const apps = fillers(estate, clusterName, found.name)
  return { asked: name, name: found.name, cluster: clusterName, database, app: apps[0] }
}

/** @param target of whatever kind of database */
export function confirmProblems(
  { name, database }: { name: string; database: { environment: Environment } },
  { confirm }: Pick<DatabaseFlags, 'confirm'>,
): string[] {
  const problems: string[] = []
  if (confirm !== undefined && confirm !== name) {
    problems.push(`--confirm ${confirm} does not name the database ${name}`)
  }
  if (database.environment === 'production' && confirm === undefined) problems.push(productionProblem(name))
  return problems
}

export function productionProblem(name: string): string {
  return `${name} is a production database; if you mean it, say so with --confirm ${name}`
}

/** What speaks against letting an app fill it. */
export function appProblems(estate: Estate, { name, cluster, database }: DatabaseTarget): string[] {
  const problems: string[] = []
  const all = fillers(estate, cluster, name)
  if (all.length > 1) {
    problems.push(
      `${all.map((one) => one.name).join(' and ')} both have migrate or seed commands for ${name}; one must own its schema`,
    )
  }
  for (const other of estate.appsUsing(cluster, name)) {
    if (other.app.environment !== database.environment) {
      problems.push(
        `app ${other.name} is ${other.app.environment}, and its database ${name} is ${database.environment}: one of the two is wrong in ${estate.file}`,
      )
    }
  }
  return problems
}

/** What it takes to reach the servers of its cluster. */
export function clusterNeeds(
  estate: Estate,
  { cluster: name }: DatabaseTarget,
): Pick<Preflight, 'secrets' | 'reach'> {
  const cluster = estate.cluster(name)
  if ('hosts' in cluster) {
    return { secrets: [], reach: [cluster.hosts.map((host) => ({ host, as: 'postgres' }))] }
  }
  if ('container' in cluster) return { secrets: [], reach: [[{ host: cluster.container.host, as: 'root' }]] }
  return { secrets: [cluster.url], reach: cluster.via ? [[{ host: cluster.via }]] : [] }
}

function fillers(estate: Estate, cluster: string, name: string): { name: string; entry: App }[] {
  return estate.appsUsing(cluster, name).flatMap(({ name: appName, app }) => {
    return app.migrate || app.seed ? [{ name: appName, entry: app }] : []
  })
}

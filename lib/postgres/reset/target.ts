import type { Estate } from '../../inventory/estate.ts'
import type { App, Database } from '../../inventory/inventory.ts'
import type { Preflight } from '../../task/task.ts'
import { copyName } from '../kept.ts'

export interface ResetFlags {
  database: string
  confirm?: string | undefined
  skipMigrate: boolean
  skipSeed: boolean
  discard: boolean
  undo: boolean
  discardKept: boolean
}

/** What the inventory says about the database that is to be reset. */
export interface ResetTarget {
  name: string
  cluster: string
  database: Database
  /** The app that fills it, and its name in the inventory. */
  app: { name: string; entry: App } | undefined
}

/** @throws EstateError for a name that the inventory does not have, or has twice */
export function resetTarget(estate: Estate, name: string): ResetTarget {
  const found = estate.findDatabase(name)
  const { clusterName, database } = found
  const apps = fillers(estate, clusterName, found.name)
  return { name: found.name, cluster: clusterName, database, app: apps[0] }
}

/** Everything that speaks against it and can be told from flags and inventory alone. */
export function resetPreflight(estate: Estate, flags: ResetFlags): Preflight {
  const target = resetTarget(estate, flags.database)
  const { database, name } = target
  const problems: string[] = []
  if (flags.confirm !== undefined && flags.confirm !== name) {
    problems.push(`--confirm ${flags.confirm} does not name the database ${name}`)
  }
  if (database.environment === 'production' && flags.confirm === undefined)
    problems.push(productionProblem(name))
  if (flags.undo && (flags.discard || flags.discardKept || flags.skipMigrate || flags.skipSeed)) {
    problems.push('--undo goes with --database, --confirm and the common flags only')
  }
  if (flags.discardKept && (flags.discard || flags.skipMigrate || flags.skipSeed))
    problems.push('--discard-kept removes old copies only; run it by itself')
  const fills = !flags.undo && !flags.discardKept
  if (fills) problems.push(...fillProblems(estate, target, flags))
  const owner = estate.cluster(target.cluster).roles[database.owner]
  const cluster = estate.cluster(target.cluster)
  return {
    problems,
    secrets: [
      ...(fills && target.app && owner?.password ? [owner.password] : []),
      ...('url' in cluster ? [cluster.url] : []),
    ],
    reach: [
      ...('hosts' in cluster ? [cluster.hosts.map((host) => ({ host, as: 'postgres' }))] : []),
      ...('via' in cluster && cluster.via ? [[{ host: cluster.via }]] : []),
      ...(fills && target.app ? [[{ host: target.app.entry.host }]] : []),
    ],
  }
}

export function productionProblem(name: string): string {
  return `${name} is a production database; if you mean it, say so with --confirm ${name}`
}

function fillProblems(
  estate: Estate,
  { name, cluster, database, app }: ResetTarget,
  flags: ResetFlags,
): string[] {
  const problems: string[] = []
  try {
    copyName(name, 'before_reset', new Date(0))
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error))
  }
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

function fillers(estate: Estate, cluster: string, name: string): { name: string; entry: App }[] {
  return estate.appsUsing(cluster, name).flatMap(({ name: appName, app }) => {
    return app.migrate || app.seed ? [{ name: appName, entry: app }] : []
  })
}

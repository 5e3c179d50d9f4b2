import type { Environment } from '../inventory/inventory.ts'
import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import type { DatabaseFacts } from './catalog.ts'
import { unfinishedReset } from './kept.ts'
import type { Server } from './server.ts'
import { type DatabaseFlags, type DatabaseTarget, productionProblem } from './target.ts'

/** The server knows things that the inventory may have wrong. */
export function refuse(
  server: Server,
  target: DatabaseTarget,
  flags: Pick<DatabaseFlags, 'confirm'>,
  all: DatabaseFacts[],
  undo: string,
): DatabaseFacts {
  const { name } = target
  checkReset(server.name, name, all, undo)
  const database = all.find((facts) => facts.name === name)
  if (!database)
    throw new TaskError(`there is no database ${name} on ${server.name}`, { code: exitCode.usage })
  checkEnvironment(server, target, flags, database)
  checkShadow(server.name, target.database.shadow, all)
  if (name === server.maintenance) {
    throw new TaskError(`${name} is the database that hausmeister itself is connected to on ${server.name}`, {
      code: exitCode.usage,
      next: 'let the URL of the cluster name another database, such as postgres',
    })
  }
  if (database.isTemplate) {
    throw new TaskError(`${name} is needed by PostgreSQL itself on ${server.name}`, { code: exitCode.usage })
  }
  if (!database.allowsConnections) {
    throw new TaskError(
      `${name} on ${server.name} accepts no connections, and it was not a reset that closed it`,
      {
        next: `if it should be open: ALTER DATABASE "${name}" WITH ALLOW_CONNECTIONS true`,
      },
    )
  }
  return database
}

/** As `checkMark`; and production takes the operator's word, whoever says that it is production. */
export function checkEnvironment(
  server: Server,
  { name, cluster, database: { environment } }: DatabaseTarget,
  flags: Pick<DatabaseFlags, 'confirm'>,
  database: DatabaseFacts,
): void {
  checkMark(server.name, { name, cluster, environment }, database)
  if (database.mark.environment === 'production' && flags.confirm !== name) {
    throw new TaskError(productionProblem(name), { code: exitCode.usage })
  }
}

/**
 * The mark on the server against the inventory: the accident of a dev entry that points at production.
 * @param on how messages name the server
 */
export function checkMark(
  on: string,
  { name, cluster, environment }: { name: string; cluster: string; environment: Environment },
  { mark }: DatabaseFacts,
): void {
  if (mark.environment === undefined || mark.environment === environment) return
  throw new TaskError(
    `the inventory says that ${name} is ${environment}, and the database on ${on} itself says that it is ${mark.environment}`,
    {
      code: exitCode.usage,
      next: `find out which is true; if the inventory: correct the end of its comment (COMMENT ON DATABASE), else postgres.${cluster}`,
    },
  )
}

export function checkShadow(on: string, name: string | undefined, all: DatabaseFacts[]): void {
  const shadow = all.find((facts) => facts.name === name)
  if (shadow?.mark.environment !== 'production') return
  throw new TaskError(`${shadow.name} on ${on} is marked as production, so it is no shadow database`, {
    code: exitCode.usage,
  })
}

/** @param undo the command that repairs it */
export function checkReset(on: string, name: string, all: DatabaseFacts[], undo: string): void {
  const unfinished = unfinishedReset(name, all)
  if (!unfinished) return
  const what =
    unfinished.state === 'renamed'
      ? `the old database is kept as ${unfinished.old.name}${unfinished.half ? ', and a half-built one has its name' : ''}`
      : 'it accepts no connections'
  throw new TaskError(`a reset of ${name} on ${on} did not finish: ${what}`, { next: undo })
}

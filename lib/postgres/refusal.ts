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
  const unfinished = unfinishedReset(name, all)
  if (unfinished) {
    const what =
      unfinished.state === 'renamed'
        ? `the old database is kept as ${unfinished.old.name}${unfinished.half ? ', and a half-built one has its name' : ''}`
        : 'it accepts no connections'
    throw new TaskError(`a reset of ${name} on ${server.name} did not finish: ${what}`, { next: undo })
  }
  const database = all.find((facts) => facts.name === name)
  if (!database)
    throw new TaskError(`there is no database ${name} on ${server.name}`, { code: exitCode.usage })
  checkEnvironment(server, target, flags, database)
  const shadow = all.find((facts) => facts.name === target.database.shadow)
  if (shadow?.mark.environment === 'production') {
    throw new TaskError(
      `${shadow.name} on ${server.name} is marked as production, so it is no shadow database`,
      {
        code: exitCode.usage,
      },
    )
  }
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

/** The mark on the server against the inventory: the accident of a dev entry that points at production. */
export function checkEnvironment(
  server: Server,
  target: DatabaseTarget,
  flags: Pick<DatabaseFlags, 'confirm'>,
  database: DatabaseFacts,
): void {
  const marked = database.mark.environment
  const { environment } = target.database
  if (marked !== undefined && marked !== environment) {
    throw new TaskError(
      `the inventory says that ${target.name} is ${environment}, and the database on ${server.name} itself says that it is ${marked}`,
      {
        code: exitCode.usage,
        next: `find out which is true; if the inventory: correct the end of its comment (COMMENT ON DATABASE), else postgres.${target.cluster}`,
      },
    )
  }
  if (marked === 'production' && flags.confirm !== target.name) {
    throw new TaskError(productionProblem(target.name), { code: exitCode.usage })
  }
}

import type { AppShell } from '../../app/app.ts'
import { listMigrations } from '../../app/migrations.ts'
import { errorBehind, HostError } from '../../host/errors.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import {
  type Content,
  type DatabaseFacts,
  readContent,
  readDatabases,
  readSessions,
  type Session,
} from '../catalog.ts'
import { type KeptCopy, keptCopies, unfinishedReset } from '../kept.ts'
import { failedMigrations, type Migration, pendingMigrations, readMigrations } from '../migrations.ts'
import type { Server } from '../server.ts'
import { type DatabaseSettings, readSettings } from '../settings.ts'
import { size } from '../size.ts'
import { productionProblem, type ResetFlags, type ResetTarget } from './target.ts'

/** What there is before anything is changed. */
export interface Survey {
  database: DatabaseFacts
  shadow: DatabaseFacts | undefined
  template1: DatabaseFacts | undefined
  settings: DatabaseSettings
  sessions: Session[]
  content: Content
  migrations: Migration[] | undefined
  /** Names in the app's folder that are not applied; undefined when the folder could not be read. */
  pending: string[] | undefined
  /** What the app's drift command printed. */
  drift: string | undefined
  kept: KeptCopy[]
}

/** @throws TaskError when the server's own state forbids a reset */
export async function surveyDatabase(
  server: Server,
  target: ResetTarget,
  flags: ResetFlags,
  app: AppShell | undefined,
  undo: string,
): Promise<Survey> {
  const all = await readDatabases(server, target.name)
  const database = refuse(server, target, flags, all, undo)
  const entry = target.app?.entry
  // Before the drift command, whose own session would be among them.
  const sessions = await readSessions(server, database.name)
  const [settings, content, migrations, folder, drift] = await Promise.all([
    readSettings(server, database.oid),
    readContent(server, database.name),
    readMigrations(server, database.name),
    app && entry?.migrations ? listMigrations(app, entry.migrations) : undefined,
    app && entry?.drift ? askDrift(app, entry.drift) : undefined,
  ])
  return {
    database,
    shadow: all.find(({ name }) => name === target.database.shadow),
    template1: all.find(({ name }) => name === 'template1'),
    settings,
    sessions,
    content,
    migrations,
    pending: folder ? pendingMigrations(folder, migrations ?? []) : undefined,
    drift,
    kept: keptCopies(target.name, all),
  }
}

/** The server knows things that the inventory may have wrong. */
export function refuse(
  server: Server,
  target: ResetTarget,
  flags: ResetFlags,
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
  target: ResetTarget,
  flags: ResetFlags,
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

/** For the operator, before the question. */
export function describeSurvey(
  server: Server,
  version: number,
  target: ResetTarget,
  survey: Survey,
): string[] {
  const { database, content, sessions, migrations, pending, drift, kept } = survey
  const lines = [
    `${database.name} on ${server.name} (PostgreSQL ${version}), ${target.database.environment}: ` +
      `${size(database.bytes)}, ${content.tables} tables, owner ${database.owner}`,
  ]
  lines.push(
    sessions.length === 0
      ? 'nobody is connected'
      : `connected: ${sessions.map((one) => `${one.count} × ${one.application} from ${one.address} as ${one.user}`).join('; ')}`,
  )
  if (migrations) {
    const failed = failedMigrations(migrations)
    const applied = migrations.filter(({ state }) => state === 'applied').length
    lines.push(
      `Prisma migrations: ${applied} applied, ${failed.length} failed${list(failed.map(({ name }) => name))}`,
    )
  } else {
    lines.push('Prisma migrations: none were ever applied')
  }
  if (pending) lines.push(`pending: ${pending.length}${list(pending)}`)
  if (drift !== undefined)
    lines.push('how the schema differs from what the migrations describe:', ...indent(drift))
  if (content.extensions.length > 0) {
    lines.push(`extensions that the migrations must create again: ${content.extensions.join(', ')}`)
  }
  if (kept.length > 0) lines.push('copies of earlier resets:', ...describeCopies(kept))
  return lines
}

export function describeCopies(kept: KeptCopy[]): string[] {
  return kept.map(({ facts }) => `  ${facts.name}, ${size(facts.bytes)}`)
}

function list(names: string[]): string {
  return names.length === 0 ? '' : ` (${names.join(', ')})`
}

function indent(text: string): string[] {
  return text.split('\n').map((line) => `  ${line}`)
}

async function askDrift(app: AppShell, command: string): Promise<string> {
  const output = await app.read(command, { nothrow: true, timeout: 120_000 }).catch((error: unknown) => {
    const failure = errorBehind(error, HostError)
    if (failure?.failure !== 'timeout') throw error
    return failure
  })
  if (output instanceof HostError) return `could not be told: ${output.message}`
  if (output.exitCode === 0) return output.stdout.trim() || 'it does not differ'
  const said = output.stderr.trim().split('\n').at(-1) ?? ''
  return `could not be told (exit code ${output.exitCode}): ${said}`
}

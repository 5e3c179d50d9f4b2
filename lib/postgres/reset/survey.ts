import type { AppShell } from '../../app/app.ts'
import { listMigrations } from '../../app/migrations.ts'
import { errorBehind, HostError } from '../../host/errors.ts'
import { size } from '../../task/size.ts'
import {
  type Content,
  type DatabaseFacts,
  readContent,
  readDatabases,
  readSessions,
  type Session,
} from '../catalog.ts'
import { type KeptCopy, keptCopies } from '../kept.ts'
import { failedMigrations, type Migration, pendingMigrations, readMigrations } from '../migrations.ts'
import { refuse } from '../refusal.ts'
import type { Server } from '../server.ts'
import { type DatabaseSettings, readSettings } from '../settings.ts'
import type { DatabaseFlags, DatabaseTarget } from '../target.ts'

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
  target: DatabaseTarget,
  flags: DatabaseFlags,
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

/** For the operator, before the question. */
export function describeSurvey(
  server: Server,
  version: number,
  target: DatabaseTarget,
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

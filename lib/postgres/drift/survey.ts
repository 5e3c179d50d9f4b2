import type { AppShell } from '../../app/app.ts'
import { type MigrationFile, readMigrationFiles } from '../../app/migrations.ts'
import type { Estate } from '../../inventory/estate.ts'
import { TaskError } from '../../task/errors.ts'
import type { Preflight } from '../../task/task.ts'
import { type DatabaseFacts, readDatabases } from '../catalog.ts'
import { failedMigrations, pendingMigrations, readMigrations } from '../migrations.ts'
import { refuse } from '../refusal.ts'
import type { Server } from '../server.ts'
import { clusterNeeds, type DatabaseTarget, databaseTarget } from '../target.ts'

/** What a comparison needs to know before the shadow database is touched. */
export interface DriftSurvey {
  database: DatabaseFacts
  shadow: DatabaseFacts | undefined
  files: MigrationFile[]
  pending: string[]
  failed: string[]
}

export function driftPreflight(estate: Estate, flags: { database: string }): Preflight {
  const target = databaseTarget(estate, flags.database)
  const { name, cluster, database } = target
  const { secrets, reach } = clusterNeeds(estate, target)
  const app = migratingApp(estate, target)
  const problems: string[] = []
  if (database.shadow === undefined) {
    problems.push(
      `${name} has no shadow database to try the migrations in; create one, and name it at postgres.${cluster}.databases.${name}.shadow in ${estate.file}`,
    )
  }
  if (!app) problems.push(`no app in ${estate.file} that uses ${name} names its folder of migrations`)
  return { problems, secrets, reach: [...reach, ...(app ? [[{ host: app.host }]] : [])] }
}

export function migratingApp(estate: Estate, { cluster, name }: DatabaseTarget) {
  return estate.appsUsing(cluster, name).find(({ app }) => app.migrations !== undefined)?.app
}

/** @throws TaskError when there is nothing to compare, or the shadow database is none */
export async function surveyDrift(
  server: Server,
  target: DatabaseTarget,
  shell: AppShell,
  folder: string,
  undo: string,
): Promise<DriftSurvey> {
  const { name } = target
  const all = await readDatabases(server)
  // Production is read without a word to confirm it; what is emptied is the shadow.
  const database = refuse(server, target, { confirm: name }, all, undo)
  const [files, migrations = []] = await Promise.all([
    readMigrationFiles(shell, folder),
    readMigrations(server, name),
  ])
  if (!files) {
    throw new TaskError(`${shell.place} has no folder ${folder} in which each folder has a migration.sql`, {
      next: 'correct "migrations" of the app in the inventory: it is relative to where its commands run',
    })
  }
  return {
    database,
    shadow: all.find((facts) => facts.name === target.database.shadow),
    files,
    pending: pendingMigrations(
      files.map((file) => file.name),
      migrations,
    ),
    failed: failedMigrations(migrations).map((one) => one.name),
  }
}

export function describeDriftSurvey(name: string, { files, pending, failed }: DriftSurvey): string {
  return `${name}: ${files.length} migrations, ${pending.length} pending${list(pending)}, ${failed.length} failed${list(failed)}`
}

function list(names: string[]): string {
  return names.length === 0 ? '' : ` (${names.join(', ')})`
}

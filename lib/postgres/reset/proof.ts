import { TaskError } from '../../task/errors.ts'
import type { Primary, Reaching } from '../cluster.ts'
import { logIn } from '../login.ts'
import { failedMigrations, readMigrations } from '../migrations.ts'
import type { DatabaseTarget } from '../target.ts'
import type { ResetFlags } from './target.ts'

/**
 * Proves a reset from where it matters: the app's role logs in over TCP from the app's own machine,
 * sees its tables, and no migration has failed.
 *
 * @returns what was seen, in a few words
 */
export async function proveFilled(
  reaching: Reaching & { flags: Pick<ResetFlags, 'skipMigrate'> },
  primary: Primary,
  target: DatabaseTarget,
): Promise<string> {
  const { estate, flags } = reaching
  const { name, database, app } = target
  const { server } = primary
  const failed = failedMigrations((await readMigrations(server, name)) ?? [])
  if (failed.length > 0) {
    throw new TaskError(
      `failed migrations in ${name}: ${failed.map((migration) => migration.name).join(', ')}`,
      {
        seen: failed[0]?.log ?? undefined,
      },
    )
  }
  const reference = estate.cluster(target.cluster).roles[database.owner]?.password
  if (!app || !reference) return `no login tried: no app in the inventory uses ${name}`
  const from = app.entry.host
  const stream = await primary.dialFrom(from)
  const login = { user: database.owner, password: estate.secret(reference), database: name }
  const { tables } = await logIn(server.name, stream, login)
  if (tables === 0 && !flags.skipMigrate) {
    throw new TaskError(`${name} has no table after its migration`, {
      next: `check that the migrate command of app ${app.name} works on ${name}, and on no other database`,
    })
  }
  return `${database.owner} logged in from ${from} and sees ${tables} tables`
}

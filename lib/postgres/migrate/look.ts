import { type AppShell, appShell } from '../../app/app.ts'
import { TaskError } from '../../task/errors.ts'
import type { Session } from '../../task/session.ts'
import { readDatabases } from '../catalog.ts'
import { undoCommand } from '../claim.ts'
import type { Primary } from '../cluster.ts'
import { refuse } from '../refusal.ts'
import type { DatabaseFlags, DatabaseTarget } from '../target.ts'
import { type MigrationState, readMigrationState } from './state.ts'

/** What stands before an app's command on its database. */
export interface Prospect {
  shell: AppShell
  state: MigrationState
}

/** @throws TaskError when the server's own state forbids it */
export async function lookBefore(
  session: Session<DatabaseFlags>,
  target: DatabaseTarget,
  { server }: Primary,
): Promise<Prospect> {
  if (!target.app) throw new TaskError(`no app in ${session.estate.file} uses ${target.name}`)
  const [all, shell] = await Promise.all([readDatabases(server), appShell(session.hosts, target.app.entry)])
  refuse(server, target, session.flags, all, undoCommand(session, target))
  return { shell, state: await readMigrationState(server, target, shell) }
}

import { type AppShell, appShell } from '../../app/app.ts'
import { TaskError } from '../../task/errors.ts'
import type { Session } from '../../task/session.ts'
import { readDatabases } from '../catalog.ts'
import { claimDatabase, undoCommand } from '../claim.ts'
import type { Primary } from '../cluster.ts'
import { refuse } from '../refusal.ts'
import type { DatabaseFlags, DatabaseTarget } from '../target.ts'
import { describeState, type MigrationState, readMigrationState } from './state.ts'

/** What stands before an app's command on its database. */
export interface Prospect {
  target: DatabaseTarget
  primary: Primary
  shell: AppShell
  state: MigrationState
}

/**
 * Claims the database, looks at it, and shows what is there.
 * @throws TaskError when the server's own state forbids it
 */
export async function lookBefore(session: Session<DatabaseFlags>): Promise<Prospect> {
  const { target, primary } = await claimDatabase(session, session.flags.database)
  const { app, name } = target
  if (!app) throw new TaskError(`no app in ${session.estate.file} uses ${name}`)
  const { server } = primary
  const prospect = await session.step(`Look at ${name}`, async () => {
    const [all, shell] = await Promise.all([readDatabases(server), appShell(session.hosts, app.entry)])
    refuse(server, target, session.flags, all, undoCommand(session, target))
    return { target, primary, shell, state: await readMigrationState(server, target, shell) }
  })
  session.note(describeState(prospect.state).join('\n'))
  return prospect
}

import type { Session } from '../task/session.ts'
import { findPrimary, type Primary } from './cluster.ts'
import { type DatabaseFlags, type DatabaseTarget, databaseTarget } from './target.ts'

/** Finds the primary of a database's cluster, and takes the lock that all who change this database take. */
export async function claimDatabase(
  session: Session<DatabaseFlags>,
): Promise<{ target: DatabaseTarget; primary: Primary }> {
  const target = databaseTarget(session.estate, session.flags.database)
  const primary = await session.step(`Find the primary of ${target.cluster}`, async (step) => {
    const found = await findPrimary(session, target.cluster)
    step.title = `Primary of ${target.cluster} is ${found.server.name}`
    return found
  })
  for (const silent of primary.silent) session.warn(`no answer: ${silent}`)
  await session.lock(`pg/${target.name}`, (holder) => primary.server.lock(`pg/${target.name}`, holder))
  return { target, primary }
}

/** Names the database as the operator did: two clusters may have one of that name. */
export function undoCommand(
  session: Session<DatabaseFlags>,
  { name, database }: DatabaseTarget,
  task = 'pg-reset',
): string {
  const confirm = database.environment === 'production' ? ['--confirm', name] : []
  return session.command(task, ['--database', session.flags.database, '--undo', ...confirm])
}

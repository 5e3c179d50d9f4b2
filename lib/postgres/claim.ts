import type { Session } from '../task/session.ts'
import { findPrimary, type Primary } from './cluster.ts'
import { type DatabaseTarget, databaseTarget } from './target.ts'

/** Finds the primary of a database's cluster, and takes the lock that all who change this database take. */
export async function claimDatabase(
  session: Session<unknown>,
  asked: string,
): Promise<{ target: DatabaseTarget; primary: Primary }> {
  const target = databaseTarget(session.estate, asked)
  const primary = await session.step(`Find the primary of ${target.cluster}`, async (step) => {
    const found = await findPrimary(session, target.cluster)
    step.title = `Primary of ${target.cluster} is ${found.server.name}`
    return found
  })
  for (const silent of primary.silent) session.warn(`no answer: ${silent}`)
  await session.lock(`pg/${target.name}`, (holder) => primary.server.lock(`pg/${target.name}`, holder))
  return { target, primary }
}

export function undoCommand(
  session: Session<unknown>,
  { asked, name, database }: DatabaseTarget,
  task = 'pg-reset',
): string {
  const confirm = database.environment === 'production' ? ['--confirm', name] : []
  return session.command(task, ['--database', asked, '--undo', ...confirm])
}

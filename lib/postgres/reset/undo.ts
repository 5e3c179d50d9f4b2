import type { Pausing } from '../../pgbouncer/pause.ts'
import type { Session } from '../../task/session.ts'
import { readDatabases } from '../catalog.ts'
import type { Primary } from '../cluster.ts'
import { letTransactionsEnd } from '../database.ts'
import { checkEnvironment } from '../refusal.ts'
import type { DatabaseFlags, DatabaseTarget } from '../target.ts'
import { proveBack, putBack, wayBack } from './put-back.ts'

/** The pooler's clients wait from now on: they see no closed door, which pgbouncer would remember. */
export async function pause(
  session: Session<DatabaseFlags>,
  pausing: Pausing,
  settle: () => Promise<void>,
): Promise<void> {
  if (pausing.name === undefined) return
  await session.step(`Pause ${pausing.name}`, async (step) => {
    if (!(await pausing.pause())) step.detail = 'it is not running'
    else if (!session.dryRun) await settle()
  })
}

export async function resume(session: Session<DatabaseFlags>, pausing: Pausing): Promise<void> {
  if (pausing.name === undefined) return
  await session.step(`Resume ${pausing.name}`, () => pausing.resume())
}

/** The old database has to come back, whether or not the clients of its pooler can be made to wait for it. */
export function warnNotPaused(session: Session<DatabaseFlags>, error: unknown): undefined {
  session.warn(`the pooler is not paused: ${error instanceof Error ? error.message : String(error)}`)
}

/** Puts the newest kept copy of a database back, or repairs what was cut off. */
export async function undo(
  session: Session<DatabaseFlags>,
  target: DatabaseTarget,
  { server }: Primary,
  pausing: Pausing,
): Promise<void> {
  const { name } = target
  const way = await session.step(`Look for the old ${name}`, () => wayBack(server, name, new Date()))
  const database = way.way === 'swap' ? way.old : way.database
  checkEnvironment(server, target, session.flags, database)
  if (way.way === 'swap' && way.aside) {
    session.note(`${way.old.name} becomes ${name}; what is ${name} now is kept as ${way.aside.to}`)
    // After a reset that was cut off, the half-built one is nobody's data.
    if (!way.half) await session.confirm(name, `This takes the present ${name} on ${server.name} out of use.`)
  }
  await pause(session, pausing, () => letTransactionsEnd(server, name)).catch((error: unknown) =>
    warnNotPaused(session, error),
  )
  await session.step(
    `Put ${name} back`,
    () => putBack(server, name, way, session.dryRun),
    () => proveBack(server, name, database.oid),
  )
  await resume(session, pausing)
  const { shadow } = target.database
  if (shadow !== undefined && !(await readDatabases(server)).some((facts) => facts.name === shadow)) {
    session.warn(`${shadow} is missing since the reset was cut off; the next reset makes it again`)
  }
}

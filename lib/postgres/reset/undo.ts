import { Pausing } from '../../pgbouncer/pause.ts'
import type { Pooler } from '../../pgbouncer/pooler.ts'
import { poolerOf } from '../../pgbouncer/poolers.ts'
import type { Session } from '../../task/session.ts'
import { readDatabases } from '../catalog.ts'
import type { Primary } from '../cluster.ts'
import { letTransactionsEnd } from '../database.ts'
import { checkEnvironment } from '../refusal.ts'
import type { DatabaseFlags, DatabaseTarget } from '../target.ts'
import { proveBack, putBack, wayBack } from './put-back.ts'

/**
 * Does something to a database of a cluster while the clients of its pooler can be made to wait: never longer than this.
 * @param isUndo then a pooler that cannot be paused is in nobody's way
 */
export async function withPausing(
  session: Session<unknown>,
  cluster: string,
  isUndo: boolean,
  work: (pausing: Pausing, pooler: Pooler | undefined) => Promise<void>,
): Promise<void> {
  const pooler = await poolerOf(session, cluster).catch((error: unknown) => {
    if (!isUndo) throw error
    return warnNotPaused(session, error)
  })
  const pausing = new Pausing(pooler)
  try {
    await work(pausing, pooler)
  } finally {
    await pausing.resume().catch((error: unknown) => {
      session.warn(`${pausing.name} is resumed by its own machine: ${String(error)}`)
    })
  }
}

/** The pooler's clients wait from now on: they see no closed door, which pgbouncer would remember. */
export async function pause(
  session: Session<unknown>,
  pausing: Pausing,
  settle: () => Promise<void>,
): Promise<void> {
  if (pausing.name === undefined) return
  await session.step(`Pause ${pausing.name}`, async (step) => {
    if (!(await pausing.pause())) step.detail = 'it is not running'
    else if (!session.dryRun) await settle()
  })
}

export async function resume(session: Session<unknown>, pausing: Pausing): Promise<void> {
  if (pausing.name === undefined) return
  await session.step(`Resume ${pausing.name}`, () => pausing.resume())
}

/** The old database has to come back, whether or not the clients of its pooler can be made to wait for it. */
function warnNotPaused(session: Session<unknown>, error: unknown): undefined {
  session.warn(`the pooler is not paused: ${error instanceof Error ? error.message : String(error)}`)
}

/** Puts the newest kept copy of a database back, or repairs what was cut off. */
export async function undo(
  session: Session<Pick<DatabaseFlags, 'confirm'>>,
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

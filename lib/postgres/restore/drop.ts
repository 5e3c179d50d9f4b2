import { setTimeout as pause } from 'node:timers/promises'

import type { Session } from '../../task/session.ts'
import { readDatabases } from '../catalog.ts'
import type { ScratchKind } from '../mark.ts'
import { PostgresError, type Server } from '../server.ts'
import { dropScratch, leftovers, lookalikes } from './scratch.ts'

/** For a server that comes back after a full disk or a lost connection. Milliseconds. */
const patience = 30_000

/** Drops what runs before this one have left. The lock that all of them take must be held. */
export async function dropLeftovers(
  session: Session<unknown>,
  server: Server,
  database: string,
  kind: ScratchKind,
): Promise<void> {
  const all = await readDatabases(server)
  for (const { name } of leftovers(database, kind, all)) {
    await session.step(`Drop ${name}, which a run that was cut off has left`, () =>
      insistOnDrop(server, name),
    )
  }
  for (const { name } of lookalikes(database, kind, all)) {
    session.warn(
      `${name} on ${server.name} does not bear our mark, so it stays: drop it by hand if it is empty`,
    )
  }
}

/** Tries for as long as a server may need to come back. @throws PostgresError when it is still there */
export async function insistOnDrop(server: Server, name: string): Promise<void> {
  const deadline = Date.now() + patience
  for (;;) {
    try {
      await dropScratch(server, name)
      break
    } catch (error) {
      if (!(error instanceof PostgresError) || Date.now() > deadline) throw error
      await pause(500)
    }
  }
}

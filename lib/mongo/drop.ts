import { setTimeout as pause } from 'node:timers/promises'

import type { Session } from '../task/session.ts'
import { dropScratch, leftoversOf } from './scratch.ts'
import type { MongoServer } from './server.ts'

/** For a server that comes back. Milliseconds. */
const patience = 30_000

/** Drops what runs before this one have left. The lock that all of them take must be held. */
export async function dropLeftovers(
  session: Session<unknown>,
  server: MongoServer,
  database: string,
): Promise<void> {
  const { ours, others } = await leftoversOf(server, database)
  for (const name of ours) {
    await session.step(`Drop ${name}, which a run that was cut off has left`, () =>
      insistOnDrop(server, name),
    )
  }
  for (const name of others) {
    session.warn(
      `${name} on ${server.name} does not bear our mark, so it stays: drop it by hand if it is empty`,
    )
  }
}

/** Tries until it answers, or half a minute long. */
export async function insistOnDrop(server: MongoServer, name: string): Promise<void> {
  const deadline = Date.now() + patience
  for (;;) {
    try {
      return await dropScratch(server, name)
    } catch (error) {
      if (Date.now() > deadline) throw error
      await pause(500)
    }
  }
}

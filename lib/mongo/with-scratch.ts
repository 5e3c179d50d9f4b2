import { setTimeout as pause } from 'node:timers/promises'

import { explain } from '../task/explain.ts'
import type { Session } from '../task/session.ts'
import { reasonOf } from './members.ts'
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

/**
 * Does something with a database that does not outlive it, whatever happens. What a kill or a dead server leaves is
 * dropped by the next run.
 */
export async function withScratch<T>(
  session: Session<unknown>,
  server: MongoServer,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  let value: T
  try {
    value = await work()
  } catch (error) {
    if (session.run.signal().aborted) {
      return session.recover(error, {
        title: `Drop ${name}`,
        next: 'run it again: it drops what is left',
        work: async () => {
          await insistOnDrop(server, name)
          return `${name} is dropped`
        },
      })
    }
    await session
      .step(`Drop ${name}`, () => insistOnDrop(server, name))
      .catch((second: unknown) =>
        session.warn(`${name} is still on ${server.name}, and the next run drops it: ${reasonOf(second)}`),
      )
    throw await explain(error)
  }
  await session.step(`Drop ${name}`, () => insistOnDrop(server, name))
  return value
}

async function insistOnDrop(server: MongoServer, name: string): Promise<void> {
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

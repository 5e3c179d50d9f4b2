import { setTimeout as pause } from 'node:timers/promises'

import { listCollections } from '../../mongo/collections.ts'
import { findPrimary } from '../../mongo/members.ts'
import type { MongoServer } from '../../mongo/server.ts'
import { type Swap, swapCommands } from '../../mongo/swap.ts'
import type { Session } from '../../task/session.ts'
import type { MongoSubject } from '../subject.ts'
import { isFixed } from './renamable.ts'

/** How long a member may take to come back, or another one to be elected. Milliseconds. */
const patience = 60_000

/** Names of all collections that can be renamed, those of ours too. */
export async function renamableIn(server: MongoServer, database: string): Promise<string[]> {
  return (await listCollections(server, database)).filter((one) => !isFixed(one)).map(({ name }) => name)
}

/**
 * Brings a swap to its end, whoever the primary is meanwhile.
 * @param planned the names to begin with, in a dry run
 */
export async function insistOnSwap(
  session: Session<unknown>,
  subject: MongoSubject,
  swap: Swap,
  planned?: readonly string[],
): Promise<void> {
  await insist(session, subject, async (server) => {
    for (;;) {
      const names = planned ?? (await renamableIn(server, subject.database))
      const commands = swapCommands(subject.database, swap, names)
      if (commands.length === 0) return
      await server.act(commands)
      if (session.dryRun) return
    }
  })
}

/** Drops what was restored and does not get its name. */
export async function insistOnDrop(
  session: Session<unknown>,
  subject: MongoSubject,
  { incoming }: Swap,
): Promise<void> {
  await insist(session, subject, async (server) => {
    const names = (await renamableIn(server, subject.database)).filter((name) => name.startsWith(incoming))
    await dropCollections(server, subject.database, names)
  })
}

export async function dropCollections(
  server: MongoServer,
  database: string,
  names: readonly string[],
): Promise<void> {
  if (names.length > 0) await server.act(names.map((name) => ({ db: database, command: { drop: name } })))
}

async function insist(
  session: Session<unknown>,
  { cluster }: MongoSubject,
  work: (server: MongoServer) => Promise<void>,
): Promise<void> {
  const deadline = Date.now() + patience
  for (;;) {
    try {
      const { primary } = await findPrimary(session, cluster)
      return await work(primary.server)
    } catch (error) {
      if (Date.now() > deadline || session.run.signal().aborted) throw error
      await pause(500)
    }
  }
}

import { setTimeout as pause } from 'node:timers/promises'

import { TaskError } from '../../task/errors.ts'
import { type DatabaseFacts, readDatabases } from '../catalog.ts'
import { closeDoor, endSessions, openDoor, renameDatabases } from '../database.ts'
import { copyName, keptCopies, unfinishedReset } from '../kept.ts'
import type { Mark } from '../mark.ts'
import { PostgresError, type Server } from '../server.ts'

/** For what the server was still at. Milliseconds. */
const patience = 15_000

/** What `putBack` would do, as the operator is told before it is done. */
export type Way =
  /** It has its name and is open. */
  | { way: 'none'; database: DatabaseFacts }
  | { way: 'open'; database: DatabaseFacts }
  /** `aside`: the database that has the name now, and the name it will get. */
  | {
      way: 'swap'
      old: DatabaseFacts
      aside: { facts: DatabaseFacts; to: string; mark: Mark } | undefined
      half: boolean
    }

/**
 * Finds out how to get the old database back: after a reset that was cut off, or after one that
 * ended well, whose newest kept copy it is then.
 *
 * @param oid the database that has to come back, where that is known; the copies of earlier resets are none of it
 * @throws TaskError when there is nothing to put back
 */
export async function wayBack(server: Server, name: string, now: Date, oid?: string): Promise<Way> {
  const all = await readDatabases(server)
  const unfinished = unfinishedReset(name, all)
  if (unfinished?.state === 'door closed') return { way: 'open', database: unfinished.database }
  const current = all.find((facts) => facts.name === name)
  if (current && current.oid === oid) return { way: 'none', database: current }
  const newest = keptCopies(name, all).find(
    ({ kind, facts }) => kind !== 'failed' && (oid === undefined || facts.oid === oid),
  )
  const old = unfinished?.old ?? newest?.facts
  if (!old) throw new TaskError(`there is no kept copy of ${name} on ${server.name}; nothing was changed`)
  const { environment } = current?.mark ?? {}
  const mark: Mark = environment ? { environment } : {}
  const aside = current && {
    facts: current,
    to: copyName(name, unfinished ? 'failed' : (newest?.kind ?? 'before_reset'), now),
    mark: unfinished ? mark : { ...mark, reset: 'finished' as const },
  }
  return { way: 'swap', old, aside, half: unfinished !== undefined }
}

/** The old database gets its name back and is open; what has the name now is put aside. All in one step. */
export async function putBack(server: Server, name: string, way: Way, dryRun: boolean): Promise<void> {
  if (way.way === 'none') return
  if (way.way === 'open') {
    await openDoor(server, way.database, withoutReset(way.database))
    return
  }
  const { old, aside } = way
  if (aside) {
    await closeDoor(server, aside.facts, way.half ? aside.mark : { ...aside.mark, reset: 'closing' })
    await endSessions(server, name, dryRun)
  }
  await renameDatabases(server, [
    ...(aside ? [{ from: aside.facts, to: aside.to, mark: aside.mark, open: false }] : []),
    { from: old, to: name, mark: withoutReset(old), open: true },
  ])
}

/**
 * Puts it back, and looks anew when that does not work: a CREATE DATABASE that was under way when its
 * connection was lost may end only now, and take the name.
 */
export async function insistOnPutBack(
  server: Server,
  name: string,
  oid: string,
  dryRun: boolean,
): Promise<Way> {
  const deadline = Date.now() + patience
  for (;;) {
    const way = await wayBack(server, name, new Date(), oid)
    try {
      await putBack(server, name, way, dryRun)
      await proveBack(server, name, oid)
      return way
    } catch (error) {
      if (!(error instanceof PostgresError) || Date.now() > deadline) throw error
      await pause(500)
    }
  }
}

/** @throws PostgresError when the database is not what it was before: there under its name, and open */
export async function proveBack(server: Server, name: string, oid: string): Promise<void> {
  const found = (await readDatabases(server)).find((facts) => facts.name === name)
  if (!found) throw new PostgresError(server.name, `there is no ${name}`)
  if (found.oid !== oid) throw new PostgresError(server.name, `${name} is another database than before`)
  if (!found.allowsConnections) throw new PostgresError(server.name, `${name} accepts no connections`)
}

export function withoutReset({ mark: { environment } }: DatabaseFacts): Mark {
  return environment ? { environment } : {}
}

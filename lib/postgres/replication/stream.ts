import { setTimeout as pause } from 'node:timers/promises'

import { TaskError } from '../../task/errors.ts'
import { PostgresError, type Server } from '../server.ts'
import type { Following } from './auto-conf.ts'
import { lastLogLines } from './instance-unit.ts'
import { type Leader, type Obstacle, obstacleOf } from './join-way.ts'
import { bytesBetween } from './lsn.ts'
import type { Node } from './nodes.ts'
import { readHistory, readReplayed, readStanding, type Standing, writeRecord } from './replication.ts'
import { parseHistory } from './timeline.ts'

/** Milliseconds. */
const streamingPatience = 90_000
const poll = 200

/**
 * Waits until the standby streams through its own slot, or something is in its way.
 * @throws TaskError with the server's last words
 */
export async function watchStandby(
  leader: Leader,
  { name, instance, server }: Pick<Node, 'name' | 'instance' | 'server'>,
  following: Following,
): Promise<{ standing: Standing; obstacle: Obstacle | undefined }> {
  const deadline = Date.now() + streamingPatience
  let seen = 'it does not answer'
  for (;;) {
    const standing = await readStanding(server).catch((error: unknown) => {
      if (!(error instanceof PostgresError)) throw error
      seen = error.message
      return undefined
    })
    if (standing) {
      if (streams(standing, following)) return { standing, obstacle: undefined }
      const primary = await readStanding(leader.node.server)
      const own = parseHistory(await readHistory(server, standing.timeline))
      const obstacle = obstacleOf({ ...leader, standing: primary }, standing, own, following.slot)
      if (obstacle) return { standing, obstacle }
      seen = standing.receiver ? `its receiver is ${standing.receiver.status}` : 'it has no receiver'
    }
    if (Date.now() > deadline) {
      const patience = streamingPatience / 1000
      throw new TaskError(`${name} does not stream from ${leader.node.name} after ${patience} s: ${seen}`, {
        seen: await lastLogLines(instance),
      })
    }
    await pause(poll)
  }
}

/** As it should be: by our settings, through its own slot. */
export function streams(
  { standby, receiver, slotName: slot, conninfo: text }: Standing,
  following: Following,
) {
  return (
    standby &&
    receiver?.status === 'streaming' &&
    receiver.slot === following.slot &&
    slot === following.slot &&
    text === following.conninfo
  )
}

/**
 * What is written on the primary is replayed on the standby.
 * @returns what was seen, in a few words
 */
export async function proveReplication(primary: Server, standby: Server): Promise<string> {
  const written = await writeRecord(primary)
  const start = Date.now()
  for (;;) {
    const replayed = await readReplayed(standby)
    if (replayed !== null && bytesBetween(written, replayed) >= 0) {
      return `a record written at ${written} on ${primary.name} was replayed ${Date.now() - start} ms later`
    }
    if (Date.now() - start > streamingPatience) {
      throw new TaskError(`${standby.name} has replayed ${replayed ?? 'nothing'}, and ${written} was written`)
    }
    await pause(poll / 4)
  }
}

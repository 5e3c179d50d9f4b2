import { setTimeout as pause } from 'node:timers/promises'

import { TaskError } from '../../task/errors.ts'
import type { Reaching } from '../cluster.ts'
import type { Server } from '../server.ts'
import type { Leader } from './join-way.ts'
import { createSlot, dropSlot, readStanding, slotName } from './replication.ts'

/** Milliseconds. */
const slotPatience = 5000
/** A primary notices after `wal_sender_timeout`, 60 s, that a standby is gone without a word. */
const senderPatience = 75_000
const poll = 200

/**
 * A slot of this name that only this standby uses.
 * @param runs whether its server does; of one that does not, the connection that holds the slot is dead, and it
 *   is waited for: ended by hand it would hang for longer, on its farewell to somebody who does not listen
 * @returns whether it was made now
 * @throws TaskError when somebody else has it
 */
export async function ensureSlot(
  { estate, run }: Reaching,
  leader: Pick<Leader, 'node' | 'standing'>,
  standby: string,
  runs: boolean,
): Promise<boolean> {
  const name = slotName(standby)
  const found = leader.standing.slots.find((slot) => slot.name === name)
  if (!found) {
    await createSlot(leader.node.server, name)
    return true
  }
  const own = Object.values(estate.host(standby).addresses ?? {})
  if (found.kind !== 'physical') {
    throw new TaskError(`the slot ${name} on ${leader.node.name} is a ${found.kind} one, of somebody else`)
  }
  if (found.active && found.address !== null && !own.includes(found.address)) {
    throw new TaskError(
      `the slot ${name} on ${leader.node.name} is in use by ${found.application || 'no name'} at ${found.address}, and ${standby} is ${own.join(', ')}`,
      { next: `find out what runs at ${found.address}, and give it a slot of another name` },
    )
  }
  if (found.active && !runs && !run.dryRun && !(await isIdle(leader.node.server, name, senderPatience))) {
    throw new TaskError(
      `the slot ${name} on ${leader.node.name} is still in use after ${senderPatience / 1000} s`,
    )
  }
  // What it should have kept is gone, and it will never keep anything again.
  if (found.wal === 'lost' && !found.active) {
    await dropSlot(leader.node.server, name)
    await createSlot(leader.node.server, name)
  }
  return false
}

/** Waits until nobody uses a slot. @returns false when somebody still does */
async function isIdle(server: Server, name: string, patience: number): Promise<boolean> {
  const deadline = Date.now() + patience
  for (;;) {
    const { slots } = await readStanding(server)
    if (!slots.some((slot) => slot.name === name && slot.active)) return true
    if (Date.now() > deadline) return false
    await pause(poll)
  }
}

/** @returns false when somebody uses it */
export async function dropIdleSlot(server: Server, name: string, dryRun: boolean): Promise<boolean> {
  if (!dryRun && !(await isIdle(server, name, slotPatience))) return false
  const { slots } = await readStanding(server)
  if (slots.some((slot) => slot.name === name)) await dropSlot(server, name)
  return true
}

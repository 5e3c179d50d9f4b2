import { setTimeout as pause } from 'node:timers/promises'

import type { Estate } from '../../inventory/estate.ts'
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

/** Why a standby can have no slot of its own. */
export function slotProblem(
  estate: Estate,
  { node, standing }: Pick<Leader, 'node' | 'standing'>,
  standby: string,
): string | undefined {
  const name = slotName(standby)
  const found = standing.slots.find((slot) => slot.name === name)
  if (!found) {
    if (standing.slots.length < standing.maxSlots) return undefined
    const slots = standing.slots.map((slot) => `${slot.name} (${slot.active ? 'in use' : 'idle'})`)
    return (
      `${node.name} has no replication slot left for ${standby}: max_replication_slots is ${standing.maxSlots}, taken by ${slots.join(', ') || 'none'}\n` +
      `  next: drop one that nobody needs (select pg_drop_replication_slot('…')), or raise max_replication_slots on ${node.name} and restart it`
    )
  }
  if (found.kind !== 'physical') {
    return `the slot ${name} on ${node.name} is a ${found.kind} one, of somebody else`
  }
  const own = Object.values(estate.host(standby).addresses ?? {})
  if (found.active && found.address !== null && !own.includes(found.address)) {
    return (
      `the slot ${name} on ${node.name} is in use by ${found.application || 'no name'} at ${found.address}, and ${standby} is ${own.join(', ')}\n` +
      `  next: find out what runs at ${found.address}, and give it a slot of another name`
    )
  }
  return undefined
}

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
  const problem = slotProblem(estate, leader, standby)
  if (problem !== undefined) throw new TaskError(problem)
  const found = leader.standing.slots.find((slot) => slot.name === name)
  if (!found) {
    await createSlot(leader.node.server, name)
    return true
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

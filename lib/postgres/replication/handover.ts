import { setTimeout as pause } from 'node:timers/promises'

import * as z from 'zod'

import { errorBehind, HostError } from '../../host/errors.ts'
import { TaskError } from '../../task/errors.ts'
import type { Reaching } from '../cluster.ts'
import { PostgresError, type Server } from '../server.ts'
import { sql } from '../sql.ts'
import { isCleanPrimary } from './control.ts'
import { type Promotion, readInstance } from './instance-facts.ts'
import type { InstancePlace } from './instance-place.ts'
import { startInstance, stopInstance } from './instance-unit.ts'
import { bytesBetween } from './lsn.ts'
import type { Node } from './nodes.ts'
import { readReplayed, readStanding, slotName } from './replication.ts'
import { dropIdleSlot } from './slot.ts'
import { markStandby, unmarkStandby } from './standby-signal.ts'

/** Milliseconds. A stop waits for the last bytes to reach the standby, and a cut cable for `wal_sender_timeout`. */
const stopPatience = 20_000
/** A last word that is younger than this is none. Seconds. */
const freshness = 2
const replayPatience = 10_000
const revivePatience = 120_000
/** Seconds, as pg_promote wants them. */
const promotionPatience = 60

const Client = z.object({
  database: z.string(),
  application: z.string(),
  address: z.string(),
  count: z.number(),
})

/**
 * Who is connected to a server, and will have to connect anew; not replication, and not we ourselves.
 * @param pooler by name: its own clients wait
 */
export async function describeClients(server: Server, pooler: string | undefined): Promise<string> {
  const clients = await server.select(
    Client,
    sql`select coalesce(datname, '') as database, coalesce(nullif(application_name, ''), 'no name') as application,
        coalesce(host(client_addr), 'local') as address, count(*)::int as count
      from pg_stat_activity where backend_type = 'client backend' and application_name is distinct from 'hausmeister'
      group by 1, 2, 3 order by 4 desc, 1, 2`,
  )
  if (clients.length === 0) return 'nobody is connected'
  const each = clients.map(
    (one) => `${one.count} × ${one.application} from ${one.address} to ${one.database}`,
  )
  const but = pooler === undefined ? '' : ` unless they come through ${pooler}, where they wait`
  return `connected, and will be cut off${but}: ${each.join('; ')}`
}

/** The stop is short when little is left to be written at its end. */
export async function checkpoint(server: Server): Promise<void> {
  await server.change([sql`checkpoint`])
}

/** Stops the primary, and only then writes down that it is none any more: until here, it would come back as it was. */
export async function stopAndMark(instance: InstancePlace): Promise<void> {
  await stopInstance(instance, stopPatience)
  await markStandby(instance)
}

/**
 * The standby has all that the stopped primary had, its very last record included.
 * @returns where that record is
 */
export async function proveCaughtUp({ name, instance }: Node, standby: Server): Promise<string> {
  const { facts } = await readInstance(instance.host, instance.version)
  const { control } = facts
  if (!control || !isCleanPrimary(control) || facts.state === 'active') {
    throw new TaskError(`${name} did not stop in good order: ${facts.state}, ${control?.state ?? 'no data'}`)
  }
  const deadline = Date.now() + replayPatience
  for (;;) {
    const replayed = await readReplayed(standby)
    if (replayed !== null && bytesBetween(control.checkpoint, replayed) > 0) return control.checkpoint
    if (Date.now() > deadline) {
      throw new TaskError(
        `${standby.name} has replayed ${replayed ?? 'nothing'}, and ${name} ended with a checkpoint at ${control.checkpoint}`,
      )
    }
    await pause(20)
  }
}

export async function promote(server: Server): Promise<void> {
  await server.change([sql`select pg_promote(true, ${promotionPatience})`])
}

/** @throws TaskError when it is still a standby */
export async function provePromoted(server: Server): Promise<void> {
  const { standby } = await readStanding(server)
  if (standby) {
    throw new TaskError(`${server.name} is still a standby ${promotionPatience} s after it was promoted`)
  }
}

/** An order to promote may be carried out later, so there is no way back from it. */
export async function insistOnPromotion({ server }: Node, dryRun: boolean): Promise<void> {
  await insist(async () => {
    const { standby } = await readStanding(server)
    if (standby) await promote(server)
  })
  if (!dryRun) await provePromoted(server)
}

/** Written before the promotion, so that no server is on the new timeline without it. */
export async function notePromotion({ instance, standing }: Node, from: string[]): Promise<void> {
  if (!standing) return
  const { timeline, lsn } = standing
  const note: Promotion = { from: from.join(', '), timeline: timeline + 1, at: new Date().toISOString(), lsn }
  await instance.host
    .as('postgres')
    .write(`${instance.data}/hausmeister.promotion`, `${JSON.stringify(note)}\n`, { mode: 0o600 })
}

/**
 * A machine that we do not reach may be well, and its standby may see it.
 * @throws TaskError when its server answers the standby
 */
export async function proveSilent(
  { estate }: Reaching,
  port: number,
  { name, instance, standing }: Node,
  gone: string,
): Promise<void> {
  const address = estate.addressBetween(name, gone)
  const knock = `exec 3<>/dev/tcp/${address}/${port}`
  const answer = await instance.host.read({ nothrow: true })`timeout 5 bash -c ${knock} 2>/dev/null`
  if (answer.exitCode === 0) {
    throw new TaskError(
      `${gone} does not answer us, and its server answers ${name} at ${address}:${port}: it is not gone`,
      { next: `ssh ${gone}   # why do we not reach it? Switch it off for certain, then again` },
    )
  }
  const { receiver } = standing ?? {}
  if (receiver?.status === 'streaming' && (receiver.silentFor ?? Infinity) < freshness) {
    throw new TaskError(`${name} heard from its primary ${receiver.silentFor?.toFixed(1)} s ago`, {
      next: 'wait half a minute, then again',
    })
  }
}

/** The old primary takes writes again. Only while nobody else can have been promoted. */
export async function revive(from: Node, to: Node, dryRun: boolean): Promise<void> {
  await insist(async () => {
    await stopInstance(from.instance, revivePatience)
    await unmarkStandby(from.instance)
    await startInstance(from.instance)
  })
  await insist(() => dropIdleSlot(to.server, slotName(from.name), dryRun))
}

export async function proveRevived({ name, server }: Node): Promise<void> {
  const { standby } = await insist(() => readStanding(server))
  if (standby) throw new TaskError(`${name} is a standby, and should be the primary`)
}

/** Tries until a machine that lost its power, or its cable, is there again. */
async function insist<T>(work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + revivePatience
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const passing = errorBehind(error, HostError) ?? errorBehind(error, PostgresError)
      if (!passing || Date.now() > deadline) throw error
      await pause(1000)
    }
  }
}

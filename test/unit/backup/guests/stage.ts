import { afterEach } from 'vitest'

import type { Estate } from '../../../../lib/inventory/estate.ts'
import { task } from '../../../../tasks/backup-pbs.ts'
import { type Peer, startPeer } from '../../../lab/pve-peer/peer.ts'
import { pbsTokenId, pveTokenId, sampleWorld } from '../../../lab/pve-peer/sample.ts'
import type { World } from '../../../lab/pve-peer/world.ts'
import { estateOf } from '../../doubles.ts'
import { type Played, play } from '../../tasks/play.ts'

const peers: Peer[] = []
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.close()))
})

export interface Stage {
  world: World
  peer: Peer
  estate: Estate
  run: (flags?: { start?: string; files?: string }, dryRun?: boolean) => Promise<Played>
}

export interface Differently {
  world?: (world: World) => void
  /** Fields of `backup`, of the first node, and of the estate's hosts. */
  backup?: Record<string, unknown>
  node?: Record<string, unknown>
  hosts?: Record<string, unknown>
  secrets?: Record<string, string>
}

/** The peer on loopback, and an estate that is backed up by it. */
export async function stage({
  world: change,
  backup,
  node,
  hosts,
  secrets,
}: Differently = {}): Promise<Stage> {
  const world = sampleWorld()
  change?.(world)
  const peer = await startPeer(world)
  peers.push(peer)
  const estate = await estateOf(
    {
      hosts: { pve1: { proxmox: true }, pve2: { proxmox: true }, ...hosts },
      proxmox: {
        home: {
          token: 'env:PVE_TOKEN',
          nodes: {
            pve1: { url: `https://127.0.0.1:${peer.pve.port}`, fingerprint: peer.pve.fingerprint, ...node },
          },
          backup: {
            url: `https://127.0.0.1:${peer.pbs.port}`,
            fingerprint: peer.pbs.fingerprint,
            token: 'env:PBS_TOKEN',
            datastore: 'tank',
            namespace: 'home',
            exempt: ['pbs'],
            ...backup,
          },
        },
      },
    },
    {
      PVE_TOKEN: `${pveTokenId}=${world.pveTokens[pveTokenId]?.secret}`,
      PBS_TOKEN: `${pbsTokenId}=${world.pbsTokens[pbsTokenId]?.secret}`,
      ...secrets,
    },
  )
  return {
    world,
    peer,
    estate,
    run: (flags = {}, dryRun = false) => play(task, estate, flags, () => noMachine, dryRun),
  }
}

/** The states of the guests, as the task's data has them. */
export function states({ events }: Played): Record<string, string> {
  const data = events.flatMap((event) => (event.event === 'data' ? [event.data] : []))
  return Object.fromEntries(
    data.flatMap((one) =>
      'guests' in one && Array.isArray(one.guests) ? one.guests.map(({ name, state }) => [name, state]) : [],
    ),
  )
}

/** What was said beside the steps as a warning. */
export function warnings({ events }: Played): string {
  return events.flatMap((event) => (event.event === 'note' && event.warning ? [event.text] : [])).join('\n')
}

/** All goes by the APIs. */
function noMachine(): never {
  throw new Error('no machine was to be asked')
}

import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:https'

import { generate } from 'selfsigned'

import { pbsDialect } from './pbs.ts'
import { pveDialect } from './pve.ts'
import { serve } from './serve.ts'
import type { World } from './world.ts'

export interface Peer {
  pve: Side
  pbs: Side
  close(): Promise<void>
}

export interface Side {
  port: number
  /** SHA-256 of its certificate, as Proxmox shows it. */
  fingerprint: string
  /** How many calls have come in. */
  calls: number
}

/**
 * A cluster of Proxmox VE and a Proxmox Backup Server, as far as backup-pbs speaks to them: by the official description
 * of their APIs and, where that is silent, by their source. The world may be changed while they run.
 * @param at where to listen; ports of its own choosing by default
 */
export async function startPeer(
  world: World,
  at: { address?: string; pvePort?: number; pbsPort?: number } = {},
): Promise<Peer> {
  const address = at.address ?? '127.0.0.1'
  const [pve, pbs] = await Promise.all([
    open((certificate) => serve(pveDialect(world), certificate), address, at.pvePort ?? 0),
    open((certificate) => serve(pbsDialect(world), certificate), address, at.pbsPort ?? 0),
  ])
  return {
    pve: pve.side,
    pbs: pbs.side,
    close: async () => {
      for (const { server } of [pve, pbs]) {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      }
    },
  }
}

async function open(
  make: (certificate: { key: string; cert: string }) => Server,
  address: string,
  port: number,
): Promise<{ server: Server; side: Side }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'peer' }], { keyType: 'ec' })
  const server = make({ key, cert })
  server.listen(port, address)
  await once(server, 'listening')
  const bound = server.address()
  if (typeof bound !== 'object' || bound === null) throw new Error('the peer has no port')
  const side = { port: bound.port, fingerprint: new X509Certificate(cert).fingerprint256, calls: 0 }
  server.on('request', () => (side.calls += 1))
  return { server, side }
}

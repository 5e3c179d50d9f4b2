import * as z from 'zod'

import type { ProxmoxBackup } from '../inventory/inventory.ts'
import { secretName } from '../inventory/secrets.ts'
import { Api } from '../proxmox/api.ts'
import type { Reaching } from '../proxmox/reaching.ts'
import { parseToken } from '../proxmox/token.ts'

export type VerifyState = 'ok' | 'failed' | 'none'

/** A snapshot of a guest. */
export interface Snapshot {
  type: 'vm' | 'ct'
  vmid: number
  /** When the backup was begun, by the clock of its node. */
  time: Date
  /** Of all its archives; undefined: it has no manifest, so it is being made, or was cut off. */
  bytes: number | undefined
  verified: VerifyState
}

/** The datastore's disk, in bytes. */
export interface Room {
  total: number
  free: number
}

/** The API of the backup server of a cluster. */
export function openBackupServer(
  { estate, hosts, run }: Reaching,
  cluster: string,
  entry: ProxmoxBackup,
): Api {
  const url = new URL(entry.url)
  const variable = secretName(entry.token)
  return new Api({
    peer: {
      name: `Proxmox Backup Server at ${url.origin}`,
      hostname: url.hostname,
      fingerprint: entry.fingerprint,
      field: `proxmox.${cluster}.backup.fingerprint`,
      askThere: '`proxmox-backup-manager cert info`',
    },
    url,
    token: parseToken(estate.secret(entry.token), variable),
    variable,
    kind: 'PBSAPIToken',
    dial: (address, port) => hosts.dial(entry.via, address, port),
    run,
  })
}

const SnapshotItem = z.object({
  'backup-type': z.string(),
  'backup-id': z.string(),
  'backup-time': z.number(),
  size: z.number().nullish(),
  verification: z.object({ state: z.string() }).nullish(),
})

/** All of the guests' snapshots in a namespace, the oldest first. The API has no pages: it tells all at once. */
export async function readSnapshots(
  api: Api,
  { datastore, namespace }: Pick<ProxmoxBackup, 'datastore' | 'namespace'>,
): Promise<Snapshot[]> {
  const path = `/admin/datastore/${encodeURIComponent(datastore)}/snapshots`
  const items = await api.get(path, z.array(SnapshotItem), namespace === '' ? {} : { ns: namespace })
  return items
    .flatMap((item): Snapshot[] => {
      const type = item['backup-type']
      // Backups of hosts have names.
      if ((type !== 'vm' && type !== 'ct') || !/^\d+$/.test(item['backup-id'])) return []
      return [
        {
          type,
          vmid: Number(item['backup-id']),
          time: new Date(item['backup-time'] * 1000),
          bytes: item.size ?? undefined,
          verified: verifyState(item.verification?.state),
        },
      ]
    })
    .toSorted((a, b) => a.time.getTime() - b.time.getTime())
}

export async function readRoom(api: Api, datastore: string): Promise<Room> {
  const { total, avail } = await api.get(
    `/admin/datastore/${encodeURIComponent(datastore)}/status`,
    z.object({ total: z.number(), avail: z.number() }),
  )
  return { total, free: avail }
}

/** As the backup server and Proxmox VE write its name: `vm/100/2026-11-28T01:00:00Z`. */
export function snapshotName({ type, vmid, time }: Snapshot): string {
  return `${type}/${vmid}/${time.toISOString().replace(/\.\d+Z$/, 'Z')}`
}

function verifyState(state: string | undefined): VerifyState {
  // A word that only a later version knows proves nothing.
  return state === 'ok' || state === 'failed' ? state : 'none'
}

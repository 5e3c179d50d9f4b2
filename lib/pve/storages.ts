import * as z from 'zod'

import type { ProxmoxBackup } from '../inventory/inventory.ts'
import type { Api } from '../proxmox/api.ts'
import { Flag } from '../proxmox/flag.ts'

/** A storage of the cluster that is a datastore of a backup server. */
export interface PbsStorage {
  name: string
  server: string
  datastore: string
  namespace: string
  fingerprint: string | undefined
  disabled: boolean
}

const Storage = z.object({
  storage: z.string(),
  server: z.string(),
  datastore: z.string(),
  namespace: z.string().default(''),
  fingerprint: z.string().optional(),
  disable: Flag.default(false),
})

export async function readPbsStorages(api: Api): Promise<PbsStorage[]> {
  const storages = await api.get('/storage', z.array(Storage), { type: 'pbs' })
  return storages.map(({ storage, disable, fingerprint, ...rest }) => ({
    name: storage,
    disabled: disable,
    fingerprint,
    ...rest,
  }))
}

/**
 * Storages that are this datastore and namespace. The server may be written in another way there than here, as
 * machines have several addresses; its certificate is the same one, where both say which.
 */
export function storagesOf(
  storages: readonly PbsStorage[],
  wanted: Pick<ProxmoxBackup, 'datastore' | 'namespace' | 'fingerprint'>,
): PbsStorage[] {
  return storages.filter(
    ({ datastore, namespace, fingerprint }) =>
      datastore === wanted.datastore &&
      namespace === wanted.namespace &&
      (fingerprint === undefined ||
        wanted.fingerprint === undefined ||
        fingerprint.toUpperCase() === wanted.fingerprint.toUpperCase()),
  )
}

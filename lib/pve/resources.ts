import * as z from 'zod'

import type { Api } from '../proxmox/api.ts'
import { Flag } from '../proxmox/flag.ts'

/** A virtual machine or a container. */
export interface Guest {
  vmid: number
  name: string
  type: 'qemu' | 'lxc'
  node: string
  template: boolean
  /** Why nothing may be done with it now, as `backup` or `migrate`. */
  lock: string | undefined
}

export interface Resources {
  guests: Guest[]
  /** By name; one that is not online runs no backups. */
  nodes: Map<string, 'online' | 'offline'>
  /** Nodes on which a storage is there and answers, by the storage's name. */
  storages: Map<string, string[]>
}

const Resource = z.object({
  type: z.string(),
  status: z.string().optional(),
  node: z.string().optional(),
  name: z.string().optional(),
  vmid: z.coerce.number().optional(),
  template: Flag.optional(),
  lock: z.string().optional(),
  storage: z.string().optional(),
})

/** What there is in the cluster, as far as the token may see it: what it may not is left out without a word. */
export async function readResources(api: Api): Promise<Resources> {
  const all = await api.get('/cluster/resources', z.array(Resource))
  const storages = new Map<string, string[]>()
  for (const { type, storage, node, status } of all) {
    if (type !== 'storage' || storage === undefined || node === undefined || status !== 'available') continue
    storages.set(storage, [...(storages.get(storage) ?? []), node])
  }
  return {
    guests: all
      .flatMap(({ type, vmid, node, name, template, lock }): Guest[] =>
        (type === 'qemu' || type === 'lxc') && vmid !== undefined && node !== undefined
          ? [{ vmid, name: name ?? String(vmid), type, node, template: template ?? false, lock }]
          : [],
      )
      .toSorted((a, b) => a.vmid - b.vmid),
    nodes: new Map(
      all.flatMap(({ type, node, status }) =>
        type === 'node' && node !== undefined
          ? [[node, status === 'online' ? 'online' : 'offline'] as const]
          : [],
      ),
    ),
    storages,
  }
}

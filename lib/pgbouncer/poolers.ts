import type { Hosts } from '../host/hosts.ts'
import type { Estate } from '../inventory/estate.ts'
import type { PoolerEntry } from '../inventory/inventory.ts'
import type { Reach } from '../task/task.ts'
import { composePooler } from './compose-pooler.ts'
import type { Pooler } from './pooler.ts'
import { systemdPooler } from './systemd-pooler.ts'

/** The pooler of a cluster; undefined when its apps connect to the server itself. */
export async function poolerOf(
  { estate, hosts }: { estate: Estate; hosts: Hosts },
  cluster: string,
): Promise<Pooler | undefined> {
  const entry = estate.cluster(cluster).pooler
  if (!entry) return undefined
  const login = await hosts.get(poolerHost(estate, entry))
  if (entry.runtime === 'systemd') return systemdPooler(entry, login)
  const app = estate.app(entry.app)
  // The checks of the inventory let no other app through.
  if (app.runtime !== 'compose') throw new Error(`${entry.app} is no compose app`)
  return composePooler(entry, app, login)
}

/** What a task that pauses or points the pooler of a cluster needs to reach. */
export function poolerReach(estate: Estate, cluster: string): Reach[][] {
  const entry = estate.cluster(cluster).pooler
  return entry ? [[{ host: poolerHost(estate, entry), as: 'root' }]] : []
}

function poolerHost(estate: Estate, entry: PoolerEntry): string {
  return entry.runtime === 'systemd' ? entry.host : estate.app(entry.app).host
}

import type { Hosts } from '../host/hosts.ts'
import type { Estate } from '../inventory/estate.ts'
import type { PoolerEntry } from '../inventory/inventory.ts'
import type { Session } from '../task/session.ts'
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

/** For the operator, when another machine has become the primary and nobody has told the pooler yet. */
export function warnOfPooler(session: Session<unknown>, cluster: string, primary: string): void {
  if (!session.estate.cluster(cluster).pooler) return
  const next = session.command('pg-pooler', ['--cluster', cluster])
  session.warn(`the pooler of ${cluster} does not follow by itself; point it to ${primary}: ${next}`)
}

function poolerHost(estate: Estate, entry: PoolerEntry): string {
  return entry.runtime === 'systemd' ? entry.host : estate.app(entry.app).host
}

import { errorBehind, HostError } from '../../host/errors.ts'
import type { Hosts } from '../../host/hosts.ts'
import { type DatabaseMachine, lookAt } from '../debian.ts'
import type { SetupTarget } from './target.ts'

/** All machines of a cluster. @throws HostError when one of them does not answer */
export function lookAtAll(hosts: Hosts, { cluster }: SetupTarget): Promise<DatabaseMachine[]> {
  return Promise.all(cluster.hosts.map(async (name) => lookAt(await hosts.get(name), cluster.port)))
}

/** Those that answer, and the names of the others. @throws HostError when none does */
export async function lookAtReachable(
  hosts: Hosts,
  { cluster }: SetupTarget,
): Promise<{ machines: DatabaseMachine[]; silent: string[] }> {
  const looks = await Promise.allSettled(
    cluster.hosts.map(async (name) => lookAt(await hosts.get(name), cluster.port)),
  )
  const machines = looks.flatMap((look) => (look.status === 'fulfilled' ? [look.value] : []))
  const failures: unknown[] = looks.flatMap((look) => (look.status === 'rejected' ? [look.reason] : []))
  const other = failures.find((failure) => !errorBehind(failure, HostError))
  if (other !== undefined || machines.length === 0) throw other ?? failures[0]
  const silent = cluster.hosts.filter((name) => !machines.some((machine) => machine.name === name))
  return { machines, silent }
}

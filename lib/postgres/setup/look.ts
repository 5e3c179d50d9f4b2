import { errorBehind, HostError } from '../../host/errors.ts'
import type { Hosts } from '../../host/hosts.ts'
import { type DatabaseFacts, readDatabases } from '../catalog.ts'
import { type DatabaseMachine, lookAt } from '../debian.ts'
import { checkConf, type Instance } from '../instance.ts'
import { readRoles, type RoleFacts } from '../roles.ts'
import { type AccessFacts, lookAtAccess } from './access.ts'
import { lookAtSettings, type SettingsFacts } from './settings.ts'
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

/** A running server, as its files and it itself say. */
export interface ServerFacts {
  access: AccessFacts
  settings: SettingsFacts
  roles: RoleFacts[]
  databases: DatabaseFacts[]
}

/** @throws TaskError when a file on disk has an error */
export async function lookAtServer(instance: Instance): Promise<ServerFacts> {
  const [access, settings, roles, databases] = await Promise.all([
    lookAtAccess(instance),
    lookAtSettings(instance),
    readRoles(instance.server),
    readDatabases(instance.server),
    checkConf(instance),
  ])
  return { access, settings, roles, databases }
}

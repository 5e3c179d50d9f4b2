import * as z from 'zod'

import { envFilePath } from '../../app/env-file.ts'
import type { Host } from '../../host/host.ts'
import type { Hosts } from '../../host/hosts.ts'
import type { App } from '../../inventory/inventory.ts'
import { poolerOf } from '../../pgbouncer/poolers.ts'
import { clientHost, logInThrough } from '../../pgbouncer/through.ts'
import { TaskError } from '../../task/errors.ts'
import type { Primary, Reaching } from '../cluster.ts'
import { PsqlServer } from '../psql-server.ts'
import { sql } from '../sql.ts'
import {
  envPlace,
  managedPlace,
  passfilePlace,
  type Passwords,
  type Place,
  poolerPlace,
  serverPlace,
} from './places.ts'
import { getsIn, isWrongPassword, proveLogins } from './proof.ts'
import type { RotateTarget } from './target.ts'

/** Where the password stands, in the order in which it is changed: nobody is given one that is not right yet. */
export async function findPlaces(
  reaching: Reaching,
  target: RotateTarget,
  primary: Primary,
  passwords: Passwords,
): Promise<Place[]> {
  const { estate, hosts, run } = reaching
  const { role, apps, isReplication } = target
  const cluster = estate.cluster(target.cluster)
  const isManaged = 'url' in cluster
  const database = target.database ?? 'postgres'
  const server = isManaged
    ? managedPlace(primary.server, role, run, (password) =>
        getsIn(primary, { role, database, from: apps[0]?.app.host }, password),
      )
    : serverPlace(primary.server, role, run)
  const pooler = await poolerOf(reaching, target.cluster)
  const envs = apps.map(async ({ name, app }) => {
    const login = await hosts.get(app.host)
    const path = await absoluteEnvFile(app, login)
    return path === undefined
      ? []
      : [await namingRole(envPlace(name, app, path, login, role, passwords), role)]
  })
  return [
    server,
    ...(isReplication && 'hosts' in cluster ? await passfiles(hosts, cluster, role) : []),
    ...(pooler ? [poolerPlace(pooler, role, isManaged ? undefined : primary.server, run)] : []),
    ...(await Promise.all(envs)).flat(),
  ]
}

/** Where the file is that an app reads its settings from; undefined when the inventory names none. */
export async function absoluteEnvFile(app: App, login: Host): Promise<string | undefined> {
  const path = envFilePath(app)
  if (path === undefined || path.startsWith('/')) return path
  const home = (await login.read`cd; pwd`.text()).trim()
  return `${home}/${path.replace(/^\.\//, '')}`
}

/** @throws TaskError when the app must have its password from somewhere else, and would be left with the old one */
async function namingRole(place: Place, role: string): Promise<Place> {
  if ((await place.has('')) !== undefined) return place
  throw new TaskError(
    `${place.name} has no password of ${role}, neither in a postgresql:// URL nor in a variable such as POSTGRES_PASSWORD that holds the present one`,
    { next: 'correct "envFile" of the app in the inventory, or that file; nothing was changed' },
  )
}

/** On all machines: after a switchover each of them is a standby. */
function passfiles(hosts: Hosts, cluster: { hosts: string[]; port: number }, role: string): Promise<Place[]> {
  return Promise.all(
    cluster.hosts.map(async (name) => {
      const host = await hosts.get(name)
      return passfilePlace(host, new PsqlServer(host, cluster.port), role)
    }),
  )
}

/** The logins that show it, from each app's machine: to the server, and through the pooler. */
export async function proofsOf(
  reaching: Reaching,
  target: RotateTarget,
  primary: Primary,
): Promise<{ title: string; prove: (old: string, fresh: string) => Promise<void> }[]> {
  const { role, database, cluster, apps } = target
  if (database === undefined) return []
  const pooler = await poolerOf(reaching, cluster)
  const from = apps.length > 0 ? [...new Set(apps.map(({ app }) => app.host))] : [undefined]
  return from.flatMap((host) => {
    const direct = {
      title: `Log in as ${role} from ${host ?? 'here'}: the new one gets in, the old one does not`,
      prove: (old: string, fresh: string) =>
        proveLogins(old, fresh, primary.server.name, (password) =>
          getsIn(primary, { role, database, from: host }, password),
        ),
    }
    if (!pooler) return [direct]
    const client = { host, role, database }
    const through = {
      title: `The same through ${pooler.name} from ${clientHost(pooler, client)}`,
      prove: (old: string, fresh: string) =>
        proveLogins(old, fresh, pooler.name, async (password) => {
          try {
            await logInThrough(reaching, pooler, cluster, client, password)
            return true
          } catch (error) {
            if (isWrongPassword(error)) return false
            throw error
          }
        }),
    }
    return [direct, through]
  })
}

/** How many machines of a cluster run as standbys now; those that do not answer could not follow either. */
export async function countStandbys({ estate, hosts }: Reaching, clusterName: string): Promise<number> {
  const cluster = estate.cluster(clusterName)
  if (!('hosts' in cluster)) return 0
  const answers = await Promise.all(
    cluster.hosts.map(async (name) => {
      const server = new PsqlServer(await hosts.get(name), cluster.port)
      return server
        .select(z.object({ standby: z.boolean() }), sql`select pg_is_in_recovery() as standby`)
        .catch(() => [])
    }),
  )
  return answers.flat().filter(({ standby }) => standby).length
}

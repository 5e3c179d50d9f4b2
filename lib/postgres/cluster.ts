import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

import * as z from 'zod'

import { title } from '../container/container.ts'
import { dialContainer } from '../container/dial.ts'
import { errorBehind, HostError } from '../host/errors.ts'
import type { Run } from '../host/events.ts'
import type { Hosts } from '../host/hosts.ts'
import type { Estate } from '../inventory/estate.ts'
import type { ContainerEntry, ManagedCluster } from '../inventory/inventory.ts'
import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import { containerServer, portInside } from './container-server.ts'
import { DriverServer } from './driver-server.ts'
import type { Endpoint } from './migrate/route.ts'
import { PsqlServer } from './psql-server.ts'
import { PostgresError, type Server } from './server.ts'
import { sql } from './sql.ts'

/** What is needed to talk to the servers of an estate. */
export interface Reaching {
  estate: Estate
  hosts: Hosts
  run: Run
}

/** The server of a cluster that takes writes. */
export interface Primary {
  server: Server
  version: number
  /** A TCP connection to it, opened on a machine of the estate (`undefined`: from here). */
  dialFrom(host: string | undefined): Promise<Duplex>
  /** Machines that did not answer, each with the reason. */
  silent: string[]
  /** Where clients find it, as far as only its machine knows. */
  endpoints: Endpoint[]
}

const Role = z.object({ standby: z.boolean(), version: z.number() })

/**
 * Asks the servers of a cluster which one is the primary.
 * @throws TaskError when none is, or two are; HostError when nobody could be asked
 */
export async function findPrimary(reaching: Reaching, clusterName: string): Promise<Primary> {
  const { estate, hosts } = reaching
  const cluster = estate.cluster(clusterName)
  if ('url' in cluster) {
    const url = new URL(estate.secret(cluster.url))
    const server = managedServer(reaching, clusterName, cluster)
    const role = await readRole(server)
    if (role.standby) throw standby([clusterName], [])
    return {
      server,
      version: role.version,
      silent: [],
      endpoints: [],
      dialFrom: (host) => hosts.dial(host ?? cluster.via, url.hostname, Number(url.port || 5432)),
    }
  }
  if ('container' in cluster) return containedPrimary(reaching, cluster.container)
  const answers = await Promise.all(
    cluster.hosts.map(async (name) => {
      const server = new PsqlServer(await hosts.get(name), cluster.port)
      return readRole(server).then(
        (role) => ({ server, role, error: undefined }),
        (error: unknown) => ({ server, role: undefined, error }),
      )
    }),
  )
  const primaries = answers.flatMap(({ server, role }) => (role && !role.standby ? [{ server, role }] : []))
  const failures = answers.flatMap(({ error }) => (error === undefined ? [] : [error]))
  const [primary, second] = primaries
  if (second) {
    throw new TaskError(`two primaries: ${primaries.map(({ server }) => server.name).join(' and ')}`, {
      next: 'find out which one the app writes to, and stop the other one; nothing was changed',
    })
  }
  if (!primary) {
    const standbys = answers.flatMap(({ server, role }) => (role?.standby ? [server.name] : []))
    if (standbys.length === 0) throw failures[0]
    throw standby(standbys, failures)
  }
  return {
    server: primary.server,
    version: primary.role.version,
    silent: failures.map(reasonOf),
    endpoints: [],
    dialFrom: (host) => {
      const address =
        host === undefined
          ? estate.addressOf(primary.server.name)
          : estate.addressBetween(host, primary.server.name)
      return reaching.hosts.dial(host, address, cluster.port)
    },
  }
}

async function containedPrimary(reaching: Reaching, entry: ContainerEntry): Promise<Primary> {
  const { estate, hosts } = reaching
  const { server, container } = await containerServer(hosts, entry)
  const { standby: isStandby, version } = await readRole(server)
  if (isStandby) throw standby([server.name], [])
  const port = await portInside(server)
  const inside = [...container.aliases, ...container.addresses]
  const outside = container.published.filter((one) => one.of === port)
  const addresses = [entry.host, ...Object.values(estate.host(entry.host).addresses ?? {})]
  return {
    server,
    version,
    silent: [],
    endpoints: [
      ...inside.map((host) => ({ server: server.name, host, port })),
      ...outside.flatMap((one) => addresses.map((host) => ({ server: server.name, host, port: one.port }))),
    ],
    dialFrom: (host) => dialContainer(reaching, container, port, host ?? entry.host),
  }
}

/** A server of a cluster, which may not answer. */
export interface Member {
  /** As messages name it: the machine, or the cluster where there is no machine of ours. */
  name: string
  open(): Promise<Server>
}

export function membersOf(reaching: Reaching, clusterName: string): Member[] {
  const cluster = reaching.estate.cluster(clusterName)
  if ('url' in cluster) {
    return [{ name: clusterName, open: async () => managedServer(reaching, clusterName, cluster) }]
  }
  if ('container' in cluster) {
    const { container } = cluster
    const open = async (): Promise<Server> => (await containerServer(reaching.hosts, container)).server
    return [{ name: title(container), open }]
  }
  return cluster.hosts.map((name) => ({
    name,
    open: async () => new PsqlServer(await reaching.hosts.get(name), cluster.port),
  }))
}

function managedServer(reaching: Reaching, name: string, { url, via }: ManagedCluster): Server {
  const dial = (address: string, port: number) => reaching.hosts.dial(via, address, port)
  return new DriverServer(name, new URL(reaching.estate.secret(url)), dial, reaching.run)
}

/** How long a machine may take to come back before it is given up on. Milliseconds. */
const returnPatience = 60_000

/** Tries until the primary answers again, for as long as a machine needs to come back. */
export async function findPrimaryAgain(
  reaching: Reaching,
  cluster: string,
  patience: number = returnPatience,
): Promise<Primary> {
  const deadline = Date.now() + patience
  for (;;) {
    try {
      return await findPrimary(reaching, cluster)
    } catch (error) {
      if (Date.now() > deadline) throw error
      await pause(1000)
    }
  }
}

async function readRole(server: Server): Promise<z.infer<typeof Role>> {
  const [role] = await server.select(
    Role,
    sql`select pg_is_in_recovery() as standby, current_setting('server_version_num')::int / 10000 as version`,
  )
  if (!role) throw new PostgresError(server.name, 'gave no answer')
  return role
}

function standby(names: string[], failures: unknown[]): TaskError {
  const are = names.length === 1 ? 'is a standby' : 'are standbys'
  const found = `${names.join(', ')} ${are}, and no primary was found`
  if (failures.length === 0) {
    return new TaskError(found, {
      next: 'bring the primary back, or promote a standby if it is gone for good; nothing was changed',
    })
  }
  // It may be one of those that did not answer, and be well: nobody is told to promote a second one.
  const known = errorBehind(failures[0], HostError)
  const message = `${found}; no answer from the others: ${failures.map(reasonOf).join('; ')}`
  return new TaskError(message, known ? { code: exitCode.unreachable, next: known.next } : {})
}

/** Why something could not be asked, in a line. */
export function reasonOf(error: unknown): string {
  const known = errorBehind(error, HostError) ?? error
  return known instanceof Error ? known.message : String(known)
}

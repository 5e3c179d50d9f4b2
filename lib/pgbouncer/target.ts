import * as z from 'zod'

import type { Estate } from '../inventory/estate.ts'
import type { PoolerEntry } from '../inventory/inventory.ts'
import { readDatabases } from '../postgres/catalog.ts'
import { isVerifier } from '../postgres/scram.ts'
import type { Server } from '../postgres/server.ts'
import { join, literal, sql } from '../postgres/sql.ts'
import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import type { Preflight } from '../task/task.ts'
import { plainName, type Route } from './ini.ts'
import { poolerReach } from './poolers.ts'
import type { User } from './userlist.ts'

/** Who connects through a pooler: an app from its machine, as the owner of its database. */
export interface Client {
  /** `undefined` when no app uses the database: the pooler's own machine then. */
  host: string | undefined
  role: string
  database: string
}

/** Everything that speaks against it and can be told from the inventory alone. */
export function poolerPreflight(estate: Estate, clusterName: string): Preflight {
  const cluster = estate.cluster(clusterName)
  if ('container' in cluster) throw noPooler(clusterName)
  const problems: string[] = []
  if (!cluster.pooler) {
    problems.push(
      `postgres.${clusterName} in ${estate.file} has no pooler; docs/inventory.md says how to add one`,
    )
  }
  for (const name of Object.keys(cluster.databases)) {
    if (!plainName.test(name)) {
      problems.push(
        `pgbouncer's configuration cannot name the database "${name}": letters, digits, "_", "." and "-" only`,
      )
    }
  }
  const clients = clientsOf(estate, clusterName)
  if (clients.length === 0) problems.push(`postgres.${clusterName} in ${estate.file} has no databases`)
  for (const { role } of clients) {
    if (!cluster.roles[role]?.password) {
      problems.push(`role ${role} has no password in ${estate.file}: its login could not be proven`)
    }
  }
  return {
    problems,
    secrets: [
      ...Object.values(cluster.roles).flatMap(({ password }) => password ?? []),
      ...('url' in cluster ? [cluster.url] : []),
    ],
    reach: [
      ...('hosts' in cluster ? [cluster.hosts.map((host) => ({ host, as: 'postgres' }))] : []),
      ...('via' in cluster && cluster.via ? [[{ host: cluster.via }]] : []),
      ...poolerReach(estate, clusterName),
      ...clients.flatMap(({ host }) => (host === undefined ? [] : [[{ host }]])),
    ],
  }
}

function noPooler(name: string): TaskError {
  return new TaskError(
    `${name} runs in a container: its apps find it by its name in their own network, where no pooler is`,
    { code: exitCode.usage },
  )
}

export function clientsOf(estate: Estate, clusterName: string): Client[] {
  return Object.entries(estate.cluster(clusterName).databases).flatMap(([database, { owner }]) => {
    const hosts = new Set(estate.appsUsing(clusterName, database).map(({ app }) => app.host))
    const from = hosts.size > 0 ? [...hosts] : [undefined]
    return from.map((host) => ({ host, role: owner, database }))
  })
}

/**
 * Where the pooler finds the databases of its cluster.
 * @param primary the machine that is the primary, or is about to be; does not count for a managed cluster
 */
export function routesOf(estate: Estate, clusterName: string, poolerHost: string, primary: string): Route[] {
  const cluster = estate.cluster(clusterName)
  const names = Object.keys(cluster.databases)
  if ('url' in cluster) {
    const url = new URL(estate.secret(cluster.url))
    return names.map((name) => ({ name, host: url.hostname, port: Number(url.port || 5432) }))
  }
  if ('container' in cluster) throw noPooler(clusterName)
  const host = estate.addressBetween(poolerHost, primary)
  return names.map((name) => ({ name, host, port: cluster.port }))
}

/** Where a service of a machine listens: for the machine itself, and for each app that comes from another one. */
export function listenAddresses(estate: Estate, clusterName: string, entry: PoolerEntry): string[] {
  if (entry.runtime !== 'systemd') return []
  const clients = clientsOf(estate, clusterName).flatMap(({ host }) => host ?? [])
  return [...new Set(['127.0.0.1', ...clients.map((from) => estate.addressBetween(from, entry.host))])]
}

/** @throws TaskError when the server has not all of the inventory's databases */
export async function checkDatabases(server: Server, routes: Route[]): Promise<void> {
  const there = new Set((await readDatabases(server, '')).map(({ name }) => name))
  const missing = routes.map(({ name }) => name).filter((name) => !there.has(name))
  if (missing.length === 0) return
  throw new TaskError(`there is no database ${missing.join(', ')} on ${server.name}`, {
    code: exitCode.usage,
    next: 'create it, or correct "databases" in the inventory; nothing was changed',
  })
}

const Stored = z.object({ name: z.string(), verifier: z.string().nullable() })

/**
 * The roles of a cluster as pgbouncer needs them. With the server's own verifier it can let a client in, and log in
 * to the server with what that client has proven, without anybody's clear text; any other verifier would do for
 * the first half only (tried). A managed server shows none to its owners: there it must be the password itself.
 *
 * @throws TaskError for a role that has no such verifier
 */
export async function readUsers(estate: Estate, clusterName: string, server: Server): Promise<User[]> {
  const cluster = estate.cluster(clusterName)
  const replication = 'hosts' in cluster ? cluster.replication : undefined
  const roles = Object.entries(cluster.roles).filter(([name]) => name !== replication)
  if ('url' in cluster) {
    return roles.flatMap(([name, { password }]) =>
      password ? [{ name, password: estate.secret(password) }] : [],
    )
  }
  const names = roles.flatMap(([name, { password }]) => (password ? [name] : []))
  const list = join(
    names.map((name) => literal(name)),
    ', ',
  )
  const stored = await server.select(
    Stored,
    sql`select rolname as name, rolpassword as verifier from pg_authid where rolname in (${list}) and rolcanlogin`,
  )
  return names.map((name) => {
    const verifier = stored.find((one) => one.name === name)?.verifier
    if (verifier && isVerifier(verifier)) return { name, password: verifier }
    const why =
      verifier === undefined ? 'cannot log in' : verifier ? 'has an md5 password' : 'has no password'
    throw new TaskError(`role ${name} ${why} on ${server.name}, and pgbouncer needs one kept as SCRAM`, {
      next: `npx tsx tasks/pg-rotate.ts --cluster ${clusterName} --role ${name}`,
    })
  })
}

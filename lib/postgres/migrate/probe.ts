import type { Duplex } from 'node:stream'

import * as z from 'zod'

import { errorBehind, HostError } from '../../host/errors.ts'
import type { Hosts } from '../../host/hosts.ts'
import type { App } from '../../inventory/inventory.ts'
import { connectDriver } from '../driver-server.ts'
import { PostgresError } from '../server.ts'
import { type Endpoint, migrationRoute, migrationUrl, type Route } from './route.ts'

const Answer = z.object({ rows: z.array(z.object({ version: z.string() })) })

/**
 * Whether pgbouncer is at the other end of a connection: its console is a database of that name, which answers
 * SHOW VERSION to some, and to all others that they are "not allowed" (tried with 1.24). PostgreSQL has no
 * such database, or says something else.
 *
 * @param url whose login is tried
 */
export async function answersAsPgbouncer(name: string, stream: Duplex, url: URL): Promise<boolean> {
  const console = new URL(url)
  console.pathname = '/pgbouncer'
  console.search = ''
  try {
    const client = await connectDriver(name, console, stream, 'hausmeister')
    try {
      const answer = Answer.safeParse(await client.query('show version'))
      return answer.success && answer.data.rows.some(({ version }) => version.startsWith('PgBouncer'))
    } finally {
      await client.end()
    }
  } catch (error) {
    return error instanceof PostgresError && error.message.endsWith(': not allowed')
  }
}

/** The way that an app's migrations take; whoever is there that the inventory does not know is asked what it is. */
export async function findRoute(
  hosts: Hosts,
  app: App,
  settings: Readonly<Record<string, string>>,
  endpoints: readonly Endpoint[],
): Promise<Route | undefined> {
  const route = migrationRoute(settings, endpoints)
  const found = migrationUrl(settings)
  if (!route || !found || route.server !== undefined || route.pooler !== undefined) return route
  try {
    const stream = await (await hosts.get(app.host)).dial(route.host, route.port)
    const isPooler = await answersAsPgbouncer(app.host, stream, found.url)
    return isPooler ? { ...route, pooler: 'it answers as pgbouncer' } : route
  } catch (error) {
    // A name that only the app's own network knows leads nowhere from its machine.
    if (errorBehind(error, HostError)?.failure === 'forward') return route
    throw error
  }
}

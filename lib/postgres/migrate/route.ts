import type { Estate } from '../../inventory/estate.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import type { DatabaseTarget } from '../target.ts'

/** Where pgbouncer listens when nobody says otherwise. */
const pgbouncerPort = 6432

/** A server of a cluster as clients reach it. */
export interface Endpoint {
  /** As messages name it. */
  server: string
  host: string
  port: number
}

/** Where the app's migrations go, by its settings. No password in it. */
export interface Route {
  variable: 'DIRECT_URL' | 'DATABASE_URL'
  host: string
  port: number
  database: string
  /** The server that it leads to; undefined: none that the inventory knows. */
  server: string | undefined
  /** Why it leads to a pooler for certain. */
  pooler: string | undefined
}

/** All addresses of a cluster's servers that the inventory knows; two names may lead to one. */
export function endpointsOf(
  estate: Estate,
  { cluster: name, app }: Pick<DatabaseTarget, 'cluster' | 'app'>,
): Endpoint[] {
  const cluster = estate.cluster(name)
  if ('url' in cluster) {
    const url = new URL(estate.secret(cluster.url))
    return [{ server: name, host: url.hostname, port: Number(url.port || 5432) }]
  }
  // Its own machine knows them.
  if ('container' in cluster) return []
  const { port } = cluster
  return cluster.hosts.flatMap((server) => {
    const addresses = Object.values(estate.host(server).addresses ?? {})
    const local = app?.entry.host === server ? ['localhost', '127.0.0.1', '::1'] : []
    return [server, ...addresses, ...local].map((host) => ({ server, host, port }))
  })
}

/**
 * Reads which way a migration takes from the app's settings: `DIRECT_URL`, which Prisma has for that, else
 * `DATABASE_URL`.
 *
 * @returns undefined when neither is there or neither is a URL
 */
export function migrationRoute(
  settings: Readonly<Record<string, string>>,
  endpoints: readonly Endpoint[],
): Route | undefined {
  const found = migrationUrl(settings)
  if (!found) return undefined
  const { variable, url } = found
  // As it is written there; the brackets of an IPv6 address are the URL's own.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  const port = Number(url.port || 5432)
  const endpoint = endpoints.find((one) => one.host.toLowerCase() === host && one.port === port)
  return {
    variable,
    host,
    port,
    database: decodeURIComponent(url.pathname.slice(1)),
    server: endpoint?.server,
    pooler: endpoint ? undefined : poolerSign(url, port),
  }
}

/** The URL with its password, which must not be shown. */
export function migrationUrl(
  settings: Readonly<Record<string, string>>,
): { variable: Route['variable']; url: URL } | undefined {
  const variable = settings['DIRECT_URL'] ? 'DIRECT_URL' : 'DATABASE_URL'
  const value = settings[variable] ?? ''
  return URL.canParse(value) ? { variable, url: new URL(value) } : undefined
}

function poolerSign(url: URL, port: number): string | undefined {
  if (url.searchParams.get('pgbouncer') === 'true') return 'it says pgbouncer=true'
  if (port === pgbouncerPort) return `${pgbouncerPort} is the port of pgbouncer`
  return undefined
}

/** @throws TaskError when migrations would go through a pooler, to a standby, or to another database */
export function refuseRoute(
  route: Route,
  primary: string,
  { name, cluster, app }: DatabaseTarget,
  endpoints: readonly Endpoint[],
): void {
  const file = `${app?.entry.envFile} on ${app?.entry.host}`
  const where = `${route.variable} in ${file} leads to ${route.host}:${route.port}`
  const right = endpoints.filter(({ server }) => server === primary).map((one) => `${one.host}:${one.port}`)
  const next = `let ${route.variable === 'DIRECT_URL' ? 'it' : 'DIRECT_URL (and directUrl in the schema)'} name the server itself, ${right.join(' or ')}, for migrations`
  if (route.pooler !== undefined) {
    throw new TaskError(
      `${where}, which is no server of ${cluster} but a pooler (${route.pooler}): a migration's lock and settings belong to one session, and a pooler in transaction mode gives it several`,
      { code: exitCode.usage, next },
    )
  }
  if (route.server !== undefined && route.server !== primary) {
    throw new TaskError(`${where}, which is ${route.server}, and the primary of ${cluster} is ${primary}`, {
      code: exitCode.usage,
      next,
    })
  }
  if (route.server !== undefined && route.database !== name) {
    throw new TaskError(`${where}, and there to the database ${route.database}, not to ${name}`, {
      code: exitCode.usage,
      next: `correct ${file}, or the database of app ${app?.name} in the inventory`,
    })
  }
}

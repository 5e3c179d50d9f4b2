import { leash } from '../../container/leash.ts'
import type { Host } from '../../host/host.ts'
import { quote } from '../../host/quote.ts'
import { TaskError } from '../../task/errors.ts'
import type { Reaching } from '../cluster.ts'
import { containerServer } from '../container-server.ts'
import { connectionString } from '../psql-server.ts'

/** How PostgreSQL's own programs reach a server. */
export interface Way {
  /** As messages name the server. */
  server: string
  /** Who runs them, and where. */
  host: Host
  /** As messages name the place where they are: the machine, or the container. */
  place: string
  /** Words that lead into the container that they are in; none: they are on the machine itself. */
  inside: readonly string[]
  /** For their `-d`. */
  connection(database: string): string
  /** Flags that all of them take. */
  flags: string[]
  /** Of their environment. What they say is told apart by its words, so those are to be English. */
  settings: string[]
  /** Empty: the server knows us without one. */
  password: string
}

const english = ['LC_ALL=C']
/** For superusers; somebody else would be refused for it. */
const englishServer = ['PGOPTIONS=-c lc_messages=C']

/** What of its stdin a line is given, after the greeting: everything, or so many bytes. */
export type Input = 'all' | number

/**
 * On the machine that is dumped as the user postgres; inside of a container; a managed server is dumped from the machine
 * that reaches it.
 * @param server the machine that is dumped, where there is one
 */
export async function wayTo({ estate, hosts }: Reaching, name: string, server: string): Promise<Way> {
  const cluster = estate.cluster(name)
  if ('hosts' in cluster) {
    return {
      server,
      host: (await hosts.get(server)).as('postgres'),
      place: server,
      inside: [],
      connection: connectionString,
      flags: ['-p', String(cluster.port)],
      settings: [...english, ...englishServer],
      password: '',
    }
  }
  if ('container' in cluster) {
    const { name: title, opening } = (await containerServer(hosts, cluster.container)).server
    return {
      server,
      host: opening.host,
      place: title,
      inside: opening.inside,
      connection: connectionString,
      flags: [...opening.flags],
      settings: [...english, ...englishServer],
      password: '',
    }
  }
  const via = cluster.via ?? Object.keys(estate.hosts).find((host) => estate.hosts[host]?.local)
  if (via === undefined) {
    throw new TaskError(
      `${name} is known by its URL alone, and pg_dump has to run on a machine that reaches it`,
      {
        next: `name one at postgres.${name}.via in ${estate.file}`,
      },
    )
  }
  const url = new URL(estate.secret(cluster.url))
  const password = decodeURIComponent(url.password)
  url.password = ''
  // The others are the driver's or an ORM's, and libpq refuses what it does not know.
  const parameters = ['sslmode', 'channel_binding'].flatMap((key): [string, string][] => {
    const value = url.searchParams.get(key)
    return value === null ? [] : [[key, value]]
  })
  url.search = new URLSearchParams(parameters).toString()
  return {
    server,
    host: await hosts.get(via),
    place: via,
    inside: [],
    connection: (database) => {
      url.pathname = `/${encodeURIComponent(database)}`
      return url.href
    },
    flags: [],
    settings: english,
    password,
  }
}

/**
 * A script for bash on the machine that runs a shell's line where the programs are. Its stdin has to begin with the
 * greeting, and to stay open until it has ended.
 */
export function scriptOf({ inside }: Way, line: string, input: Input = 0): string {
  const greeted = `cd /; IFS= read -r -d '' PGPASSWORD; if [ "$PGPASSWORD" ]; then export PGPASSWORD; fi`
  if (inside.length === 0) return `${greeted}; ${line}`
  const words = [...inside, 'sh', '-c', leash, 'leash', line, String(input)]
  return `${greeted}; exec ${words.map(quote).join(' ')}`
}

/** What comes first on the stdin of a script: the password, which stands in no argument and no file. */
export function greetingOf({ password }: Way): string {
  return `${password}\0`
}

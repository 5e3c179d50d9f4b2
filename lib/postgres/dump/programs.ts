import type { Host } from '../../host/host.ts'
import { TaskError } from '../../task/errors.ts'
import type { Reaching } from '../cluster.ts'
import { connectionString } from '../psql-server.ts'

/** How programs reach a server. */
export interface Way {
  /** As messages name the server. */
  server: string
  /** Who runs them, and where. */
  host: Host
  /** For their `-d`. */
  connection(database: string): string
  /** Flags that all of them take. */
  flags: string[]
  /** Empty: the server knows us without one. */
  password: string
}

/** PostgreSQL's own programs of one version, and how they reach a server. */
export interface Programs extends Way {
  /** Empty: the shell finds them. */
  folder: string
  /** `17.6` */
  version: string
  /** What pg_dump is told for the best compression that it has. */
  compression: string[]
}

export type Program = 'psql' | 'pg_dump' | 'pg_dumpall' | 'pg_restore'

/** A program with what it needs to reach the server, as words of a command. */
export function wordsOf({ folder, flags }: Programs, program: Program): string[] {
  return [folder === '' ? program : `${folder}/${program}`, '--no-password', ...flags]
}

/**
 * Finds the programs that can dump a server.
 * @param server the machine that is dumped, where there is one
 * @param version major version of the server
 * @throws TaskError when no machine has them, or all are older than the server
 */
export async function programsFor(
  reaching: Reaching,
  cluster: string,
  server: string,
  version: number,
): Promise<Programs> {
  const way = await wayTo(reaching, cluster, server)
  const all = await installed(way.host)
  const found = suitable(all, version)
  if (!found) {
    const has = all.length === 0 ? 'no pg_dump' : `pg_dump ${all.map((one) => one.version).join(', ')}`
    throw new TaskError(
      `${way.host.name} has ${has}, and ${server} is PostgreSQL ${version}: pg_dump refuses a server that is newer than itself`,
      { next: `as root on ${way.host.name}: apt-get install postgresql-client-${version}` },
    )
  }
  return { ...way, ...found, compression: await compressionOf(way.host, found.folder) }
}

/** On the machine that is dumped as the user postgres; a managed server is dumped from the machine that reaches it. */
export async function wayTo({ estate, hosts }: Reaching, name: string, server: string): Promise<Way> {
  const cluster = estate.cluster(name)
  if ('hosts' in cluster) {
    return {
      server,
      host: (await hosts.get(server)).as('postgres'),
      connection: connectionString,
      flags: ['-p', String(cluster.port)],
      password: '',
    }
  }
  if ('container' in cluster) {
    throw new TaskError(`${name} runs in a container, and backups of those are not made yet`, {
      next: `name the databases that are backed up in backup.databases in ${estate.file}`,
    })
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
    connection: (database) => {
      url.pathname = `/${encodeURIComponent(database)}`
      return url.href
    },
    flags: [],
    password,
  }
}

export interface Installed {
  folder: string
  version: string
}

export async function installed(host: Host): Promise<Installed[]> {
  const { stdout } = await host.read`
    for program in /usr/lib/postgresql/*/bin/pg_dump; do
      if [ -x "$program" ]; then echo "\${program%/pg_dump} $("$program" --version)"; fi
    done
    if command -v pg_dump > /dev/null; then echo " $(pg_dump --version)"; fi`
  return stdout.split('\n').flatMap((line) => {
    const [, folder = '', version] = /^(\S*) pg_dump \(PostgreSQL\) ([\d.]+)/.exec(line) ?? []
    return version === undefined ? [] : [{ folder, version }]
  })
}

/** The oldest that is not older than the server: its dumps are read by the server's own pg_restore. */
export function suitable(all: readonly Installed[], version: number): Installed | undefined {
  return all
    .filter((one) => Number.parseInt(one.version, 10) >= version)
    .toSorted((a, b) => Number.parseInt(a.version, 10) - Number.parseInt(b.version, 10))[0]
}

/** pg_dump looks at what it is to compress with before it connects. */
async function compressionOf(host: Host, folder: string): Promise<string[]> {
  const program = folder === '' ? 'pg_dump' : `${folder}/pg_dump`
  const { stderr } = await host.read({
    nothrow: true,
  })`cd /; LC_ALL=C ${program} -Fc --compress=zstd -h /nowhere`
  return /compress/.test(stderr) ? [] : ['--compress=zstd']
}

export function describePrograms({ version, compression, host }: Programs): string {
  return `pg_dump ${version} on ${host.name}, ${compression.length > 0 ? 'zstd' : 'gzip'}`
}

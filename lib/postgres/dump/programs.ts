import { quote } from '../../host/quote.ts'
import { TaskError } from '../../task/errors.ts'
import type { Reaching } from '../cluster.ts'
import { type Way, wayTo } from './way.ts'

/** PostgreSQL's own programs of one version. */
export interface Installed {
  /** Empty: the shell finds them. */
  folder: string
  /** `17.6` */
  version: string
}

/** The same, and how they reach a server. */
export interface Programs extends Way, Installed {
  /** What pg_dump is told for the best compression that it has. */
  compression: string[]
}

export type Program = 'psql' | 'pg_dump' | 'pg_dumpall' | 'pg_restore'

/** A program with what it needs to reach the server, for a shell. */
export function lineOf(
  programs: Way & Installed,
  program: Program,
  database: string,
  words: readonly string[],
  more: readonly string[] = [],
): string {
  const { folder, flags, settings } = programs
  return [
    'env',
    'PGAPPNAME=hausmeister',
    ...settings,
    ...more,
    folder === '' ? program : `${folder}/${program}`,
    '--no-password',
    ...flags,
    ...words,
    '-d',
    programs.connection(database),
  ]
    .map(quote)
    .join(' ')
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
  const all = await installed(way)
  const found = suitable(all, version)
  if (!found) {
    const has = all.length === 0 ? 'no pg_dump' : `pg_dump ${all.map((one) => one.version).join(', ')}`
    throw new TaskError(
      `${way.place} has ${has}, and ${server} is PostgreSQL ${version}: pg_dump refuses a server that is newer than itself`,
      { next: howToInstall(way, version) },
    )
  }
  return { ...way, ...found, compression: await compressionOf(way, found.folder) }
}

export async function installed({ host, inside }: Way): Promise<Installed[]> {
  if (inside.length > 0) {
    const { stdout } = await host.read({ nothrow: true })`cd /; ${inside} pg_dump --version`
    return parse(` ${stdout}`)
  }
  const { stdout } = await host.read`
    for program in /usr/lib/postgresql/*/bin/pg_dump; do
      if [ -x "$program" ]; then echo "\${program%/pg_dump} $("$program" --version)"; fi
    done
    if command -v pg_dump > /dev/null; then echo " $(pg_dump --version)"; fi`
  return parse(stdout)
}

function parse(lines: string): Installed[] {
  return lines.split('\n').flatMap((line) => {
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

/** What brings the programs of a version to where they are looked for. */
export function howToInstall({ host, inside }: Way, version: number): string {
  if (inside.length === 0) return `as root on ${host.name}: apt-get install postgresql-client-${version}`
  return `let that container be of an image that has the programs of PostgreSQL ${version}, as the official ones have`
}

/** pg_dump looks at what it is to compress with before it connects. */
async function compressionOf({ host, inside }: Way, folder: string): Promise<string[]> {
  const program = folder === '' ? 'pg_dump' : `${folder}/pg_dump`
  const { stderr } = await host.read({
    nothrow: true,
  })`cd /; ${[...inside, 'env']} LC_ALL=C ${program} -Fc --compress=zstd -h /nowhere`
  return /compress/.test(stderr) ? [] : ['--compress=zstd']
}

export function describePrograms({ version, compression, place }: Programs): string {
  return `pg_dump ${version} on ${place}, ${compression.length > 0 ? 'zstd' : 'gzip'}`
}

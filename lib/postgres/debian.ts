import * as z from 'zod'

import type { Host } from '../host/host.ts'

/** A cluster as Debian's postgresql-common knows it: one server with its data. */
export interface DebianCluster {
  version: number
  name: string
  running: boolean
  standby: boolean
  /** At any time; one that never was holds nobody's data. */
  started: boolean
  /** `auto`, `manual` or `disabled`: whether it comes up with the machine. */
  start: string
  /** Where it listens, or would if it were started. */
  port: number
  /** Its configuration. */
  folder: string
  data: string
}

/** A machine for PostgreSQL, as far as setting it up needs to know it. */
export interface DatabaseMachine {
  name: string
  /** As root. */
  host: Host
  /** Bytes. */
  memory: number
  clusters: DebianCluster[]
  /** Major versions of the servers that are installed whole. */
  installed: number[]
  /** Who listens on the wanted port, as `ss` tells it; empty when it is free. */
  listener: string
  locales: string[]
  /** Whether what is to come up with the machine does, as `systemctl is-enabled postgresql` tells it. */
  enabled: string
}

const Row = z.object({
  version: z.coerce.number(),
  cluster: z.string(),
  running: z.coerce.number(),
  recovery: z.coerce.number().default(0),
  start: z.string(),
  port: z.coerce.number(),
  configdir: z.string(),
  pgdata: z.string(),
})

const separator = '=== hausmeister ==='

/** All in one go. @param port which is to be free or the server's own */
export async function lookAt(login: Host, port: number): Promise<DatabaseMachine> {
  const host = login.as('root')
  const { stdout } = await host.read`
    export LC_ALL=C.UTF-8
    next() { printf '\n%s\n' ${separator}; }
    awk '/^MemTotal:/ { print $2 }' /proc/meminfo
    next
    rows='[]'
    if command -v pg_lsclusters > /dev/null; then rows=$(pg_lsclusters -j); fi
    echo "$rows"
    next
    { grep -o '"pgdata":"[^"]*"' <<< "$rows" || true; } | cut -d '"' -f 4 | while read -r data; do
      port=$(sed -n 4p "$data/postmaster.pid" 2> /dev/null || true)
      echo "$data \${port:-0} $([ -e "$data/postmaster.opts" ] && echo started || true)"
    done
    next
    dpkg-query -W -f ${'${Package} ${db:Status-Status}\n'} 'postgresql-[0-9]*' 2> /dev/null || true
    next
    ss -H -ltnp ${`sport = :${port}`}
    next
    locale -a
    next
    ls -A /var/lib/postgresql 2> /dev/null || true
    next
    systemctl is-enabled postgresql.service 2> /dev/null || true`
  const [
    memory = '',
    rows = '',
    ports = '',
    packages = '',
    listener = '',
    locales = '',
    files = '',
    enabled = '',
  ] = stdout.split(`${separator}\n`).map((part) => part.trim())
  const lives = new Map(ports.split('\n').map((line): [string, string[]] => pair(line)))
  return {
    name: host.name,
    host,
    memory: Number(memory) * 1024,
    clusters: z
      .array(Row)
      .parse(JSON.parse(rows))
      .map((row) => ({ ...row, life: lives.get(row.pgdata) ?? [] }))
      .filter(
        ({ version, cluster, life }) =>
          life[1] === 'started' || !files.split('\n').includes(markerName(version, cluster)),
      )
      .map((row) => ({
        version: row.version,
        name: row.cluster,
        running: row.running === 1,
        standby: row.recovery === 1,
        started: row.life[1] === 'started',
        start: row.start,
        // What is configured may wait for a restart.
        port: (row.running === 1 && Number(row.life[0])) || row.port,
        folder: row.configdir,
        data: row.pgdata,
      })),
    installed: packages.split('\n').flatMap((line) => {
      const [, version] = /^postgresql-(\d+) installed$/.exec(line) ?? []
      return version === undefined ? [] : [Number(version)]
    }),
    listener: listener.split('\n')[0] ?? '',
    locales: locales.split('\n'),
    enabled,
  }
}

/** Made, as by `createCluster` for what is to become a standby, and never started. */
export function isPrepared({ running, standby, started }: DebianCluster): boolean {
  return !running && !standby && !started
}

function pair(line: string): [string, string[]] {
  const [key = '', ...values] = line.split(' ')
  return [key, values]
}

/** The name of a locale as glibc compares it: de_DE.UTF-8 and de_DE.utf8 are one. */
export function plainLocale(name: string): string {
  const [language = '', encoding = ''] = name.split('.')
  return `${language}.${encoding.toLowerCase().replaceAll('-', '')}`
}

/** Stands beside the data while a cluster is made: what a run that was killed left behind, and nobody started, is none. */
function markerName(version: number, name: string): string {
  return `.hausmeister-makes-${version}-${name}`
}

export function unitOf({ version, name }: { version: number; name: string }): string {
  return `postgresql@${version}-${name}.service`
}

/**
 * Makes a cluster `main` that is not running; half a one, of a run that was killed, is made anew.
 * @param start `manual` for one that must not come up before it is made a standby
 */
export async function createCluster(
  { host }: DatabaseMachine,
  wanted: { version: number; port: number; locale: string; start: 'auto' | 'manual' },
): Promise<DebianCluster> {
  const { version, port, locale, start } = wanted
  const name = 'main'
  const data = `/var/lib/postgresql/${version}/${name}`
  const folder = `/etc/postgresql/${version}/${name}`
  const marker = `/var/lib/postgresql/${markerName(version, name)}`
  const options = ['--port', port, '--encoding', 'UTF8', '--locale', locale, '--start-conf', start]
  const shown = {
    command: `pg_createcluster ${options.join(' ')} ${version} ${name} -- --data-checksums`,
  }
  // Checksums, because a disk that returns other bytes than it was given is noticed by nothing else.
  await host.change({ shown, uncancelled: true })`
    if [ -e ${marker} ] && [ ! -e ${data}/postmaster.opts ]; then rm -rf -- ${data} ${folder}
    elif [ -e ${data}/PG_VERSION ]; then
      echo ${`${data} has data, but ${folder} has no configuration for it: give it back, or move the data away`} >&2
      exit 1
    fi
    touch ${marker}
    sync -- ${marker}
    pg_createcluster ${options} ${version} ${name} -- --data-checksums
    rm -- ${marker}`
  return { version, name, running: false, standby: false, started: false, start, port, folder, data }
}

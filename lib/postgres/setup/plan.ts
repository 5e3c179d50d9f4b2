import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import { type DatabaseMachine, type DebianCluster, isPrepared, plainLocale } from '../debian.ts'
import type { SetupTarget } from './target.ts'

/** A machine of the cluster and what it is to be. */
export interface Member {
  machine: DatabaseMachine
  /** The server that is there; undefined: none yet. */
  cluster: DebianCluster | undefined
  part: 'primary' | 'standby'
}

export interface Plan {
  primary: Member
  standbys: Member[]
  /** undefined: nobody says, so it is the distribution's */
  version: number | undefined
}

/**
 * Which machine is to take writes. Never makes a second one that does: where it cannot be told, it is refused.
 * @throws TaskError
 */
export function planCluster({ cluster: wanted }: SetupTarget, machines: DatabaseMachine[]): Plan {
  const found = machines.map((machine) => ({ machine, cluster: clusterOf(machine, wanted) }))
  const version = wanted.version ?? found.find(({ cluster }) => cluster)?.cluster?.version
  for (const { machine, cluster } of found) {
    if (cluster && cluster.version !== version) throw otherVersion(machine, cluster, version)
    if (machine.listener !== '' && !(cluster?.running && cluster.port === wanted.port)) {
      throw portTaken(machine, wanted.port)
    }
  }
  const primary = choosePrimary(found)
  return {
    primary: { ...primary, part: 'primary' },
    standbys: found.filter((one) => one !== primary).map((one) => ({ ...one, part: 'standby' })),
    version,
  }
}

/** @throws TaskError when the machine lacks what the inventory wants of it */
export function checkMachine(
  { name, locales }: DatabaseMachine,
  { name: cluster, cluster: wanted }: SetupTarget,
): void {
  const { locale } = wanted
  if (locale === undefined || locales.some((one) => plainLocale(one) === plainLocale(locale))) return
  throw new TaskError(
    `${name} has no locale ${locale}, which postgres.${cluster}.locale wants; nothing was changed`,
    {
      code: exitCode.usage,
      next: `as root there: apt-get install locales && localedef -i ${locale.split('.')[0]} -f UTF-8 ${locale}; it has ${locales.join(', ')}`,
    },
  )
}

interface Found {
  machine: DatabaseMachine
  cluster: DebianCluster | undefined
}

function choosePrimary(found: Found[]): Found {
  const names = (some: Found[]): string => some.map(({ machine }) => machine.name).join(' and ')
  const primaries = found.filter(({ cluster }) => cluster?.running && !cluster.standby)
  if (primaries.length > 1) {
    throw new TaskError(`two primaries: ${names(primaries)}; nothing was changed`, {
      next: `find out which one the app writes to; if another one is empty: pg_dropcluster --stop ${told(primaries[1])} there`,
    })
  }
  const [running] = primaries
  if (running) return running
  const stopped = found.filter(
    ({ cluster }) => cluster && !cluster.running && !cluster.standby && !isPrepared(cluster),
  )
  const standbys = found.filter(({ cluster }) => cluster?.standby)
  if (standbys.length > 0) {
    const others = stopped.length > 0 ? `; stopped: ${names(stopped)}` : ''
    throw new TaskError(
      `${names(standbys)}: a standby, and no primary is running${others}; nothing was changed`,
      { next: 'bring the primary back, or promote a standby if it is gone for good' },
    )
  }
  if (stopped.length > 1) {
    throw new TaskError(
      `${names(stopped)} each have a server that is stopped and would take writes; nothing was changed`,
      {
        next: `start the one with the newest data: systemctl start postgresql@${told(stopped[0]).replace(' ', '-')}; drop one that is empty: pg_dropcluster ${told(stopped[1])}`,
      },
    )
  }
  const chosen = stopped[0] ?? found[0]
  if (!chosen) throw new Error('a cluster without machines')
  return chosen
}

function told(found: Found | undefined): string {
  return `${found?.cluster?.version} ${found?.cluster?.name}`
}

/** The one on the wanted port, else the one of the wanted version, else the only one. */
function clusterOf(
  { name, clusters }: DatabaseMachine,
  { port, version }: SetupTarget['cluster'],
): DebianCluster | undefined {
  const onPort = clusters.filter((one) => one.port === port)
  const [first, second] =
    onPort.length > 0
      ? onPort.toSorted((a, b) => Number(b.running) - Number(a.running))
      : clusters.filter((one) => version === undefined || one.version === version)
  if (first && second && onPort.length === 0) {
    const all = clusters.map((one) => `${one.version}/${one.name} on port ${one.port}`)
    throw new TaskError(`${name} has several servers: ${all.join(', ')}`, {
      next: 'set "port" of the cluster in the inventory to the one that is meant',
    })
  }
  return first
}

function otherVersion(
  { name }: DatabaseMachine,
  cluster: DebianCluster,
  wanted: number | undefined,
): TaskError {
  const { version, port } = cluster
  return new TaskError(
    `${name} has PostgreSQL ${version} on port ${port}, and the cluster is to be ${wanted}; no data is brought from one version to another here`,
    { next: `as root there: pg_upgradecluster ${version} ${cluster.name}; or correct "version"` },
  )
}

function portTaken({ name, listener }: DatabaseMachine, port: number): TaskError {
  const [, program = 'another program', pid = ''] = /"([^"]+)",pid=(\d+)/.exec(listener) ?? []
  return new TaskError(
    `port ${port} on ${name} is taken by ${program}${pid && ` (pid ${pid})`}; nothing was changed`,
    { next: `stop it, or set another "port" in the inventory; to see it: ss -ltnp 'sport = :${port}'` },
  )
}

import { errorBehind, HostError } from '../../host/errors.ts'
import type { MachineCluster } from '../../inventory/inventory.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import type { Reaching } from '../cluster.ts'
import { PsqlServer } from '../psql-server.ts'
import { PostgresError, type Server } from '../server.ts'
import { type InstanceFacts, readInstance } from './instance-facts.ts'
import type { InstancePlace } from './instance-place.ts'
import { readStanding, type Standing } from './replication.ts'

/** A machine of a cluster that has PostgreSQL, with all that it and its server say. */
export interface Node {
  name: string
  instance: InstancePlace
  facts: InstanceFacts
  server: Server
  /** undefined: no server answers. */
  standing: Standing | undefined
  /** What psql said in place of an answer. */
  trouble: string
}

export interface Nodes {
  nodes: Node[]
  /** Machines that did not answer, each with the reason. */
  silent: { name: string; why: string }[]
}

/** Looks at every machine of a cluster. Asks all of them at once, and each of them twice. */
export async function readNodes(reaching: Reaching, cluster: MachineCluster): Promise<Nodes> {
  const found = await Promise.all(
    cluster.hosts.map(async (name) => {
      try {
        return await readNode(reaching, name, cluster)
      } catch (error) {
        const known = errorBehind(error, HostError)
        if (!known) throw error
        return { name, why: known.message }
      }
    }),
  )
  const nodes = found.flatMap((one) => ('why' in one ? [] : [one]))
  return { nodes, silent: found.flatMap((one) => ('why' in one ? [one] : [])) }
}

/** @throws TaskError when it has no PostgreSQL that could take part; HostError when it does not answer */
export async function readNode(reaching: Reaching, name: string, cluster: MachineCluster): Promise<Node> {
  const host = await reaching.hosts.get(name)
  const { instance, facts } = await readInstance(host, cluster.version)
  if (!instance) {
    const has = facts.versions.length > 0 ? `PostgreSQL ${facts.versions.join(', ')}` : 'no PostgreSQL'
    const wants = cluster.version === undefined ? '' : `, and no cluster main of version ${cluster.version}`
    throw new TaskError(`${name} has ${has}${wants}`, {
      next: 'npx tsx tasks/pg-setup.ts   # installs the version that the inventory names',
    })
  }
  const server = new PsqlServer(host, cluster.port)
  try {
    const standing = await readStanding(server)
    if (standing.dataDirectory !== instance.data) {
      throw new TaskError(
        `the server on ${name} (port ${cluster.port}) has its data in ${standing.dataDirectory}, not in ${instance.data}`,
        { next: `compare postgres.….port and .version in ${reaching.estate.file} with pg_lsclusters there` },
      )
    }
    return { name, instance, facts, server, standing, trouble: '' }
  } catch (error) {
    if (!(error instanceof PostgresError)) throw error
    return { name, instance, facts, server, standing: undefined, trouble: error.message }
  }
}

/** It takes writes. */
export function isPrimary({ standing }: Node): boolean {
  return standing !== undefined && !standing.standby
}

/** It runs, and takes no writes. */
export function isStandby({ standing }: Node): boolean {
  return standing?.standby === true
}

/**
 * An old primary that came back after another one was promoted in its place by the operator's word, as the
 * newer one notes in its data directory.
 */
export function isSuperseded(node: Node, by: Node): boolean {
  const { promotion } = by.facts
  if (!isPrimary(node) || !node.standing || !by.standing || !promotion) return false
  return (
    node.standing.system === by.standing.system &&
    node.standing.timeline < promotion.timeline &&
    by.standing.timeline >= promotion.timeline
  )
}

/**
 * The one primary, and those that were superseded and take writes all the same.
 * @throws TaskError when there is none, or nobody's word says which of two it is
 */
export function primaryOf({ nodes, silent }: Nodes): { primary: Node; superseded: Node[] } {
  const primaries = nodes.filter((node) => isPrimary(node))
  const [only] = primaries
  if (only && primaries.length === 1) return { primary: only, superseded: [] }
  const primary = primaries.find((one) =>
    primaries.every((other) => other === one || isSuperseded(other, one)),
  )
  if (primary) return { primary, superseded: primaries.filter((node) => node !== primary) }
  if (primaries.length > 1) {
    const facts = primaries.map(
      ({ name, standing }) =>
        `${name} (timeline ${standing?.timeline}, databases ${standing?.databases.join(', ')})`,
    )
    throw new TaskError(`two primaries: ${facts.join(' and ')}`, {
      next:
        'find out which one the app writes to, and stop the other one (systemctl stop postgresql@…-main); ' +
        'nothing was changed',
    })
  }
  const seen = nodes.map((node) => describeNode(node)).join('; ')
  if (silent.length > 0) {
    const why = silent.map((one) => one.why).join('; ')
    throw new TaskError(`no primary was found: ${seen}; no answer: ${why}`, { code: exitCode.unreachable })
  }
  throw new TaskError(`no primary was found: ${seen}; nothing was changed`)
}

/** One machine in a few words. */
export function describeNode({ name, standing, facts, trouble }: Node): string {
  if (standing) {
    const is = standing.standby ? 'a standby' : 'a primary'
    return `${name} is ${is} (timeline ${standing.timeline}, ${standing.lsn})`
  }
  if (facts.state === 'active') return `${name} runs and does not answer: ${trouble}`
  const { control } = facts
  if (!control) return `${name} has no data`
  return `${name} is stopped (${control.state}, timeline ${control.timeline}, ${control.checkpoint})`
}

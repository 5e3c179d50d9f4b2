import type { ProcessPromise } from 'zx/core'

import type { Reaching } from '../cluster.ts'
import { size } from '../size.ts'
import type { Following } from './auto-conf.ts'
import type { ClusterTarget } from './cluster-target.ts'
import type { InstancePlace } from './instance-place.ts'
import type { Leader } from './join-way.ts'
import type { Node } from './nodes.ts'
import { loginProblem } from './replica-login.ts'

/** A clock that is further off than this makes logs, time-outs and "last heard" lie. Milliseconds. */
const clockTolerance = 5000

/**
 * All that speaks against copying the primary onto this machine, found before anything is changed.
 * @param freed bytes that will be free once the old data is gone
 */
export async function buildProblems(
  reaching: Reaching,
  target: ClusterTarget,
  leader: Leader,
  node: Node,
  freed: number,
): Promise<string[]> {
  const { standing } = leader
  const problems: string[] = []
  const off = Math.abs(node.facts.clock - leader.node.facts.clock)
  if (off > clockTolerance) {
    problems.push(
      `the clocks of ${node.name} and ${leader.node.name} differ by ${Math.round(off / 1000)} s; let timedatectl show why`,
    )
  }
  const free = node.facts.freeBytes + freed
  // WAL comes beside the data while it is copied.
  const needed = Math.ceil(standing.bytes * 1.1) + 4 * standing.segmentSize
  if (free < needed) {
    problems.push(
      `${node.name} has ${size(free)} free below /var/lib/postgresql, and the copy needs ${size(needed)}`,
    )
  }
  if (standing.walLevel === 'minimal') {
    problems.push(`${leader.node.name} has wal_level minimal; npx tsx tasks/pg-setup.ts sets it`)
  }
  // One streams the WAL while the other one copies.
  const spare = standing.walSenders - standing.senders.length
  if (spare < 2) {
    problems.push(
      `${leader.node.name} has max_wal_senders ${standing.walSenders}, ${standing.senders.length} are taken, and 2 are needed`,
    )
  }
  if (standing.tablespaces.length > 0) {
    problems.push(
      `${leader.node.name} has tablespaces (${standing.tablespaces.join(', ')}), whose folders this task does not know; use pg_basebackup by hand`,
    )
  }
  const mount = await node.instance.host.read({ nothrow: true })`mountpoint -q ${node.instance.data}`
  if (mount.exitCode === 0) {
    problems.push(`${node.instance.data} on ${node.name} is a mount point; mount the disk one folder higher`)
  }
  const login = await loginProblem(reaching, target, node.instance, leader.node.name, standing.system)
  if (login !== undefined) problems.push(login)
  return problems
}

/**
 * Copies the primary into a folder beside the data, so that whatever is cut off leaves nothing that could be
 * taken for a database. Its output tells how far it is.
 */
export function baseBackup({ host, data, bin }: InstancePlace, following: Following): ProcessPromise {
  // Progress goes to stderr.
  return host.as('postgres').change`
    cd /
    rm -rf -- ${data}.building
    exec ${bin}/pg_basebackup -d ${following.conninfo} -D ${data}.building -c fast -X stream -S ${following.slot} -R -w --progress 2>&1`
}

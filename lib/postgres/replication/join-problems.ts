import { size } from '../../task/size.ts'
import type { Reaching } from '../cluster.ts'
import { conninfoText } from './auto-conf.ts'
import type { ClusterTarget } from './cluster-target.ts'
import type { Leader } from './join-way.ts'
import type { Node } from './nodes.ts'
import { platformProblems } from './platform.ts'
import { loginProblem } from './replica-login.ts'
import { slotProblem } from './slot.ts'

/** A clock that is further off than this makes logs, time-outs and "last heard" lie. Milliseconds. */
const clockTolerance = 5000

/** That the clocks of two machines differ. */
export function clockProblem(one: Node, other: Node): string | undefined {
  const off = one.facts.clock - other.facts.clock
  if (Math.abs(off) <= clockTolerance) return undefined
  const ahead = off > 0 ? 'ahead of' : 'behind'
  return (
    `the clock of ${one.name} is ${Math.round(Math.abs(off) / 1000)} s ${ahead} that of ${other.name}\n` +
    '  next: timedatectl   # on both; let them be synchronized'
  )
}

/** What on the primary keeps a standby from streaming, found before anything is changed. */
export function followProblems({ estate }: Reaching, leader: Leader, standby: Node): string[] {
  const streams = leader.standing.senders.some(({ application }) => application === standby.name)
  return [slotProblem(estate, leader, standby.name), streams ? undefined : senderProblem(leader, 1)].filter(
    (problem) => problem !== undefined,
  )
}

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
  const { name: primary } = leader.node
  const { host, data } = node.instance
  const [mount, login] = await Promise.all([
    host.read({ nothrow: true })`mountpoint -q ${data}`,
    loginProblem(reaching, target, node.instance, primary, standing.system),
  ])
  return [
    ...platformProblems(leader.node, standing, node),
    clockProblem(node, leader.node),
    spaceProblem(leader, node, freed),
    standing.walLevel === 'minimal'
      ? `${primary} has wal_level minimal; npx tsx tasks/pg-setup.ts sets it`
      : undefined,
    slotProblem(reaching.estate, leader, node.name),
    // One streams the WAL while the other one copies.
    senderProblem(leader, 2),
    tablespaceProblem(reaching, target, leader, node),
    mount.exitCode === 0
      ? `${data} on ${node.name} is a mount point; mount the disk one folder higher`
      : undefined,
    login,
  ].filter((problem) => problem !== undefined)
}

function spaceProblem({ standing }: Leader, { name, facts }: Node, freed: number): string | undefined {
  const free = facts.freeBytes + freed
  // WAL comes beside the data while it is copied.
  const needed = Math.ceil(standing.bytes * 1.1) + 4 * standing.segmentSize
  if (free >= needed) return undefined
  return `${name} has ${size(free)} free below /var/lib/postgresql, and the copy needs ${size(needed)}`
}

function senderProblem({ node, standing }: Leader, needed: number): string | undefined {
  const { senders, walSenders } = standing
  if (walSenders - senders.length >= needed) return undefined
  const taken = senders.map(({ application, address }) => `${application || 'no name'} at ${address}`)
  return (
    `${node.name} has max_wal_senders ${walSenders}; ${senders.length} are taken${taken.map((one) => `, by ${one}`).join('')}, and ${needed} more are needed\n` +
    `  next: raise max_wal_senders on the standbys first, then on ${node.name}, and restart each`
  )
}

/** Their folders may hold anybody's data, and a copy that is cut off leaves them half full: an operator looks first. */
function tablespaceProblem(
  { estate }: Reaching,
  { cluster, role }: ClusterTarget,
  { node, standing }: Leader,
  { name, instance }: Node,
): string | undefined {
  if (standing.tablespaces.length === 0) return undefined
  const { data, bin } = instance
  const told = standing.tablespaces.map((one) => `${one.name} in ${one.folder}`)
  const folders = standing.tablespaces.map(({ folder }) => folder).join(' ')
  const source = conninfoText({
    host: estate.addressBetween(name, node.name),
    port: cluster.port,
    user: role,
  })
  return [
    `${node.name} has tablespaces (${told.join(', ')}), and this task copies none; a standby that was copied by hand is taken over`,
    `  next, as root on ${name}, where these folders must be empty: install -d -o postgres -g postgres -m 700 ${folders}`,
    `  systemctl stop ${instance.unit}; if [ -e ${data} ]; then mv -T ${data} ${data}.before; fi`,
    `  cd / && runuser -u postgres -- ${bin}/pg_basebackup -d '${source}' -D ${data} -c fast -X stream -R -P   # asks for the password of ${role}`,
    '  then this task again',
  ].join('\n')
}

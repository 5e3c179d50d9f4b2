import { TaskError } from '../../task/errors.ts'
import { isCleanPrimary, wasPrimary } from './control.ts'
import { bytesBetween, segmentOf, segmentOfFile } from './lsn.ts'
import type { Node } from './nodes.ts'
import type { Standing } from './replication.ts'
import { type Fork, forkBehind } from './timeline.ts'

/** The primary of a cluster, as one who wants to join it sees it. */
export interface Leader {
  node: Node
  standing: Standing
  history: Fork[]
}

/** How a machine becomes a standby. `old`: whose data lies where the new data will be. */
export type JoinWay =
  | { way: 'follow' }
  | { way: 'build'; old: 'none' | 'of another cluster' | 'its own'; why: string }

/** A clean shutdown's last record and what may stand before it, in bytes: no transaction fits in between. */
const shutdownRecord = 256

/**
 * @param next the command that builds the standby anew
 * @throws TaskError when its data must not be touched, or cannot be used
 */
export function joinWay(leader: Leader, node: Node, rebuild: boolean, next: string): JoinWay {
  const { name, standing, facts } = node
  const { control } = facts
  if (standing && !standing.standby) {
    throw new TaskError(
      `${name} runs a primary of its own (timeline ${standing.timeline}, databases ${standing.databases.join(', ')})`,
      {
        next: `if nobody needs it: systemctl stop ${node.instance.unit} on ${name}, then again; its data is kept`,
      },
    )
  }
  if (node.instance.version !== leader.standing.version) {
    const versions = `PostgreSQL ${node.instance.version}, and the primary ${leader.node.name} runs ${leader.standing.version}`
    throw new TaskError(`${name} has ${versions}: a standby needs the same major version`, {
      next: 'npx tsx tasks/pg-setup.ts   # installs the version that the inventory names',
    })
  }
  if (facts.data === 'not PostgreSQL') {
    throw new TaskError(`${node.instance.data} on ${name} holds files, and they are not PostgreSQL's`, {
      next: 'move them away, then again',
    })
  }
  if (!control) {
    if (!facts.left.includes('rewinding')) return { way: 'build', old: 'none', why: 'it has no data' }
    const why = 'a rewind of it was cut off, and what is left is no use'
    if (rebuild) return { way: 'build', old: 'its own', why }
    throw new TaskError(`${name}: ${why}`, { next })
  }
  if (control.system !== leader.standing.system) {
    if (facts.state === 'active') {
      throw new TaskError(`${name} runs a server of another cluster (system identifier ${control.system})`, {
        next: `if nobody needs it: systemctl stop ${node.instance.unit} on ${name}, then again; its data is kept`,
      })
    }
    return { way: 'build', old: 'of another cluster', why: 'its data is that of another cluster' }
  }
  if (rebuild) return { way: 'build', old: 'its own', why: '--rebuild' }
  if (!standing && wasPrimary(control) && !facts.standbySignal) refuseOwnLife(leader, node, next)
  return { way: 'follow' }
}

/** A copy of the primary's disk that ran as a primary: it has the same identifier, and other data. */
function refuseOwnLife(leader: Leader, { name, facts: { control } }: Node, next: string): void {
  if (!control) return
  const at = `timeline ${control.timeline}, ${control.checkpoint}`
  if (control.timeline === leader.standing.timeline) {
    throw new TaskError(
      `${name} was a primary itself, on the timeline that ${leader.node.name} is on (${at}): what it wrote cannot be told from what it received`,
      { next },
    )
  }
  const fork = leader.history.find(({ timeline }) => timeline === control.timeline)
  const ahead = fork ? bytesBetween(control.checkpoint, fork.at) : Infinity
  if (!fork || (isCleanPrimary(control) && ahead > shutdownRecord)) {
    const left = fork ? `left that timeline at ${fork.at}` : 'never was on it'
    throw new TaskError(`${name} was a primary with a life of its own (${at}); ${leader.node.name} ${left}`, {
      next,
    })
  }
}

/** Why a running standby does not follow. */
export type Obstacle =
  | { is: 'diverged'; at: string; bytes: number; timeline: number }
  | { is: 'too late'; needs: string; oldest: string }

/**
 * @param own history of the standby's timeline
 * @returns undefined while it may still be on its way
 */
export function obstacleOf(
  leader: Leader,
  standing: Standing,
  own: Fork[],
  slot: string,
): Obstacle | undefined {
  const { standing: primary, history } = leader
  const received = standing.received ?? standing.lsn
  const lsn = bytesBetween(received, standing.lsn) > 0 ? standing.lsn : received
  const position = { timeline: standing.timeline, lsn, history: own }
  const at = forkBehind(position, { timeline: primary.timeline, lsn: primary.lsn, history })
  if (at !== undefined) {
    return { is: 'diverged', at, bytes: bytesBetween(at, lsn), timeline: standing.timeline }
  }
  const oldest = primary.oldestWal
  const lost = primary.slots.some(({ name, wal }) => name === slot && wal === 'lost')
  const gone =
    oldest !== null && segmentOf(lsn, primary.segmentSize) < segmentOfFile(oldest, primary.segmentSize)
  return lost || gone ? { is: 'too late', needs: lsn, oldest: oldest ?? 'none' } : undefined
}

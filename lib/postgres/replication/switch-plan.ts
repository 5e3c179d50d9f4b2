import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import { size } from '../../task/size.ts'
import { isCleanPrimary } from './control.ts'
import { bytesBetween } from './lsn.ts'
import { describeNode, isPrimary, isStandby, type Node, type Nodes, primaryOf } from './nodes.ts'
import type { Standing } from './replication.ts'

/** More than this is not waited for while nobody can write: one WAL file. Bytes. */
const allowedLag = 16 * 1024 ** 2

export type SwitchPlan =
  /** The usual one: `from` takes writes, `to` streams from it. */
  | { way: 'switch'; from: Node; to: Node }
  /** A run was cut off: nobody takes writes, and `to` has all that the others have. */
  | { way: 'resume'; from: Node; to: Node }
  /** A run was cut off, and `to` lacks something: `from` must be the primary again first. */
  | { way: 'revive'; from: Node; to: Node }
  /** `to` is the primary; whether the others follow it remains to be seen. */
  | { way: 'rejoin'; to: Node }

/** @param wanted the new primary; default: the only machine that is not the primary now */
export function targetOf(nodes: Nodes, wanted: string | undefined): Node {
  const found = nodes.nodes.find(({ name }) => name === wanted)
  if (found) return found
  const silent = nodes.silent.find(({ name }) => name === wanted)
  if (silent) throw new TaskError(`no answer: ${silent.why}`, { code: exitCode.unreachable })
  const standbys = nodes.nodes.filter((node) => isStandby(node))
  const [only] = standbys
  if (only && standbys.length === 1) return only
  const names = standbys.map((node) => describeNode(node)).join('; ')
  throw new TaskError(
    standbys.length === 0
      ? 'there is no standby that runs'
      : `there are ${standbys.length} standbys: ${names}`,
    { code: exitCode.usage, next: 'name the new primary with --to' },
  )
}

/**
 * @param replica the command that makes a machine a standby
 * @throws TaskError when a switchover could lose something, or end without a primary
 */
export function planSwitch(nodes: Nodes, to: Node, replica: (host: string) => string): SwitchPlan {
  if (!nodes.nodes.some((node) => isPrimary(node))) return planWithoutPrimary(nodes, to)
  const { primary: from, superseded } = primaryOf(nodes)
  const [old] = superseded
  if (old) {
    throw new TaskError(
      `two primaries: ${old.name} came back, and ${from.name} was promoted in its place; nothing was changed`,
      { next: `${replica(old.name)}   # stops ${old.name} first` },
    )
  }
  if (from === to) return { way: 'rejoin', to }
  if (nodes.silent.length > 0) {
    const why = nodes.silent.map((one) => one.why).join('; ')
    throw new TaskError(`no answer: ${why}`, {
      code: exitCode.unreachable,
      next: 'bring it back first: it would follow nobody after a switchover',
    })
  }
  const { standing } = to
  if (!standing?.standby || !from.standing) {
    throw new TaskError(`${describeNode(to)}, and no standby of ${from.name}`, { next: replica(to.name) })
  }
  const lag = bytesBetween(standing.lsn, from.standing.lsn)
  if (standing.receiver?.status !== 'streaming') {
    throw new TaskError(
      `${to.name} does not stream from ${from.name}: its receiver is ${standing.receiver?.status ?? 'not there'}, and it is ${size(lag)} behind`,
      { next: replica(to.name) },
    )
  }
  if (!isFed(from.standing, to.name)) {
    throw new TaskError(
      `${to.name} believes that it streams from ${from.name}, which sends it nothing: their connection was cut`,
      {
        next: 'it notices that within wal_receiver_timeout, a minute by default, and connects anew; then run this again',
      },
    )
  }
  if (lag > allowedLag) {
    throw new TaskError(
      `${to.name} is ${size(lag)} (${lag} bytes) behind ${from.name}; nothing was changed`,
      {
        next: `run it again when it is less than ${size(allowedLag)}; long queries on ${to.name} hold it up`,
      },
    )
  }
  return { way: 'switch', from, to }
}

function isFed({ senders }: Standing, standby: string): boolean {
  return senders.some(({ application, state }) => application === standby && state === 'streaming')
}

/** Only a switchover that was cut off stops a primary in good order and leaves its standby a standby. */
function planWithoutPrimary({ nodes, silent }: Nodes, to: Node): SwitchPlan {
  if (silent.length > 0) {
    const why = silent.map((one) => one.why).join('; ')
    throw new TaskError(`no primary was found, and it may be one of those that do not answer: ${why}`, {
      code: exitCode.unreachable,
      next: 'bring it back; if it is gone for good: npx tsx tasks/pg-promote.ts',
    })
  }
  const others = nodes.filter((node) => node !== to)
  const stopped = others.find(
    ({ standing, facts }) => !standing && facts.control && isCleanPrimary(facts.control),
  )
  const seen = nodes.map((node) => describeNode(node)).join('; ')
  if (!to.standing) throw new TaskError(`no primary was found: ${seen}`, { next: startCommand(to) })
  if (stopped?.facts.control) {
    const { control } = stopped.facts
    const same = control.system === to.standing.system && control.timeline === to.standing.timeline
    // Past it, and not at it: the position is the end of what was replayed, the checkpoint's is its beginning.
    const whole = same && bytesBetween(control.checkpoint, to.standing.lsn) > 0
    return { way: whole ? 'resume' : 'revive', from: stopped, to }
  }
  const { lsn } = to.standing
  const [from] = others.filter((node) => isStandby(node))
  const all = others.every(({ standing }) => standing !== undefined && bytesBetween(standing.lsn, lsn) >= 0)
  if (from && all) return { way: 'resume', from, to }
  const ahead = others.find(({ standing }) => standing !== undefined && bytesBetween(lsn, standing.lsn) > 0)
  if (ahead) {
    throw new TaskError(`no primary was found: ${seen}; ${ahead.name} has more than ${to.name}`, {
      next: `promote that one: --to ${ahead.name}`,
    })
  }
  const down = others.find(({ standing }) => !standing)
  throw new TaskError(`no primary was found: ${seen}`, { next: down ? startCommand(down) : undefined })
}

function startCommand({ name, instance }: Node): string {
  return `systemctl start ${instance.unit}   # on ${name}; then again`
}

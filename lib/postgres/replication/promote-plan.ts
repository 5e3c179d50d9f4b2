import { TaskError } from '../../task/errors.ts'
import { size } from '../../task/size.ts'
import { duration } from '../../task/text.ts'
import { wasPrimary } from './control.ts'
import { bytesBetween } from './lsn.ts'
import { describeNode, isPrimary, isStandby, isSuperseded, type Node, type Nodes } from './nodes.ts'
import type { Standing } from './replication.ts'

export type PromotePlan =
  /** `gone`: the machines that do not answer; the old primary is among them. */
  | { way: 'promote'; to: Node; gone: string[] }
  /** It was promoted before; these came back and must not be primaries. */
  | { way: 'fence'; to: Node; returned: Node[] }

/**
 * @param switchover the command for a primary that is well
 * @throws TaskError while the primary may be alive, or where another standby has more
 */
export function planPromotion({ nodes, silent }: Nodes, to: Node, switchover: string): PromotePlan {
  const others = nodes.filter((node) => node !== to)
  if (isPrimary(to)) return { way: 'fence', to, returned: others.filter((node) => mustBeFenced(node, to)) }
  const alive = others.find((node) => isPrimary(node))
  if (alive) {
    throw new TaskError(`${alive.name} answers, and is the primary: nothing is promoted in its place`, {
      next: switchover,
    })
  }
  const up = others.find((node) => !isStandby(node))
  if (up) {
    throw new TaskError(
      `${up.name} answers by SSH, though its server does not (${describeNode(up)}): it may be the primary, and come back`,
      {
        next: `systemctl start ${up.instance.unit} on ${up.name}; if its data is lost, switch the machine off, then again`,
      },
    )
  }
  if (silent.length === 0) {
    const seen = nodes.map((node) => describeNode(node)).join('; ')
    throw new TaskError(`no machine is missing: ${seen}`, { next: switchover })
  }
  if (!to.standing) throw new TaskError(`${describeNode(to)}: only a standby that runs can be promoted`)
  const mine = ends(to.standing)
  const ahead = others.find(({ standing }) => standing && bytesBetween(mine, ends(standing)) > 0)
  if (ahead) {
    throw new TaskError(`${ahead.name} has received more than ${to.name}`, {
      next: `promote it: --to ${ahead.name}`,
    })
  }
  return { way: 'promote', to, gone: silent.map(({ name }) => name) }
}

/** It takes writes, or would when it is started. */
function mustBeFenced(node: Node, by: Node): boolean {
  if (isSuperseded(node, by)) return true
  const { control, standbySignal } = node.facts
  if (node.standing || standbySignal || !control) return false
  return wasPrimary(control) && control.system === by.standing?.system
}

function ends({ lsn, received }: Standing): string {
  return received !== null && bytesBetween(lsn, received) > 0 ? received : lsn
}

/** How much could be lost, as far as anybody can know while the old primary is silent. */
export function describeLoss({ name, standing }: Node, gone: string[]): string {
  if (!standing) return ''
  const from = gone.join(', ')
  const has = ends(standing)
  const lines = [`${name} has received all up to ${has}`]
  const { receiver } = standing
  if (receiver?.told) {
    const missing = Math.max(0, bytesBetween(has, receiver.told))
    const since = duration((receiver.silentFor ?? 0) * 1000)
    lines.push(
      `when ${from} was last heard, ${since} ago, it was at ${receiver.told}: ${missing} bytes (${size(missing)}) are missing for certain`,
    )
  } else lines.push(`how far ${from} had come is not known any more: its connection has ended`)
  lines.push(
    `what ${from} committed after that is lost too; how much it was is told when it joins again (pg-replica)`,
  )
  return lines.join('\n')
}

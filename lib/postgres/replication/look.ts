import type { Session } from '../../task/session.ts'
import type { ClusterTarget } from './cluster-target.ts'
import type { Leader } from './join-way.ts'
import { describeNode, type Node, type Nodes, readNodes } from './nodes.ts'
import { readHistory, readStanding } from './replication.ts'
import { parseHistory } from './timeline.ts'

/** Looks at all machines, takes the cluster's lock on each that answers, and looks at these once more. */
export async function lookAtCluster(
  session: Session<unknown>,
  { name, cluster }: ClusterTarget,
): Promise<Nodes> {
  return session.step(`Look at ${name}`, async (step) => {
    // A machine without power is waited for once, and not again for its lock.
    const { nodes, silent } = await readNodes(session, cluster)
    for (const { instance } of nodes) {
      await session.lock(`pg-cluster/${name}`, (holder) => instance.host.lock(`pg-cluster/${name}`, holder))
    }
    const now = await readNodes(session, { ...cluster, hosts: nodes.map((node) => node.name) })
    step.detail = now.nodes.map((node) => describeNode(node)).join('; ')
    return { nodes: now.nodes, silent: [...silent, ...now.silent] }
  })
}

/** The primary as it is now: it moves on while others join it. */
export async function leaderOf(node: Node): Promise<Leader> {
  const standing = await readStanding(node.server)
  const history = parseHistory(await readHistory(node.server, standing.timeline))
  return { node, standing, history }
}

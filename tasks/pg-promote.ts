/**
 * Makes a standby the primary when the primary is gone. What the standby had not received is lost.
 * Refuses while the primary answers: for that there is pg-switchover. Safe to run again: then it fences an old
 * primary that came back.
 *
 *   npx tsx tasks/pg-promote.ts --to pg-replica --dry-run
 *   npx tsx tasks/pg-promote.ts --to pg-replica         # asks you to type the cluster's name
 *   npx tsx tasks/pg-promote.ts --to pg-replica --yes   # scripts
 */
import { letClientsFollow, lookAtClients } from '../lib/postgres/replication/clients.ts'
import {
  type ClusterTarget,
  clusterPreflight,
  clusterTarget,
  type HandoverFlags,
  handoverFlags,
} from '../lib/postgres/replication/cluster-target.ts'
import { followingOf, letFollow } from '../lib/postgres/replication/following.ts'
import {
  checkpoint,
  insistOnPromotion,
  notePromotion,
  proveSilent,
  stopAndMark,
} from '../lib/postgres/replication/handover.ts'
import { leaderOf, lookAtCluster } from '../lib/postgres/replication/look.ts'
import { isPrimary, isStandby, type Node, type Nodes, readNodes } from '../lib/postgres/replication/nodes.ts'
import { describeLoss, planPromotion } from '../lib/postgres/replication/promote-plan.ts'
import { writeRecord } from '../lib/postgres/replication/replication.ts'
import { proveReplication, watchStandby } from '../lib/postgres/replication/stream.ts'
import { targetOf } from '../lib/postgres/replication/switch-plan.ts'
import { TaskError } from '../lib/task/errors.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

export const task = defineTask({
  name: 'pg-promote',
  summary: 'Make a standby the primary when the primary is gone',
  details:
    'Refuses while the primary answers, by SSH or on its port. Says what could be lost, asks, promotes. ' +
    'Safe to run again: an old primary that came back is stopped, and starts as a standby only.',
  examples: [
    'npx tsx tasks/pg-promote.ts --to pg-replica --dry-run',
    'npx tsx tasks/pg-promote.ts --to pg-replica',
  ],
  flags: handoverFlags,
  preflight: ({ estate, flags: given }) =>
    clusterPreflight(
      estate,
      { ...given, host: given.to },
      true,
      given.to === undefined ? undefined : [given.to],
    ),
  async run(session) {
    const target = clusterTarget(session.estate, session.flags.cluster)
    const nodes = await lookAtCluster(session, target)
    const to = targetOf(nodes, session.flags.to)
    const switchover = session.command('pg-switchover', ['--cluster', target.name, '--to', to.name])
    const plan = planPromotion(nodes, to, switchover)
    if (plan.way === 'promote') await promote(session, target, nodes, to, plan.gone)
    else await fence(session, target, to, plan.returned)
    await session.prove(`Prove that ${to.name} alone takes writes`, async (step) => {
      await writeRecord(to.server)
      const hosts = nodes.nodes.map(({ name }) => name)
      const { nodes: now } = await readNodes(session, { ...target.cluster, hosts })
      const leaders = now.filter((node) => isPrimary(node)).map(({ name }) => name)
      if (leaders.length !== 1) throw new TaskError(`these take writes: ${leaders.join(', ')}`)
      step.detail = `of ${now.length} machines that answer`
    })
  },
})

async function promote(
  session: Session<HandoverFlags>,
  target: ClusterTarget,
  nodes: Nodes,
  to: Node,
  gone: string[],
): Promise<void> {
  await session.step(`Make sure that ${gone.join(' and ')} takes no writes`, async (step) => {
    for (const name of gone) await proveSilent(session, target.cluster.port, to, name)
    step.detail = `no answer by SSH, nor from ${to.name} on port ${target.cluster.port}`
  })
  session.note(describeLoss(to, gone))
  await session.confirm(
    target.name,
    `This makes ${to.name} the primary of ${target.name}, and gives up what only ${gone.join(', ')} has.`,
  )
  await session.step(`Promote ${to.name}`, async () => {
    await notePromotion(to, gone)
    await insistOnPromotion(to, session.dryRun)
  })
  await leadClients(session, target, to)
  // Before PostgreSQL 16, pg_rewind takes the timeline from it: if this one dies in its turn, it could not be rewound.
  await session.step(`Write a checkpoint on ${to.name}`, () => checkpoint(to.server))
  for (const node of nodes.nodes.filter((one) => one !== to && isStandby(one))) {
    await session.step(`Let ${node.name} follow ${to.name}`, async () =>
      letFollow(session, target, await leaderOf(to), node),
    )
    await session.prove(`Prove that ${node.name} follows ${to.name}`, async (step) => {
      const following = followingOf(session.estate, target, node.instance, to.name)
      const { obstacle } = await watchStandby(await leaderOf(to), node, following)
      if (obstacle) throw new TaskError(`${node.name} has parted from ${to.name}`)
      step.detail = await proveReplication(to.server, node.server)
    })
  }
  const names = gone.join(', ')
  session.warn(
    `nothing here can switch ${names} off. When it comes back, it asks the other machines before it starts, and ` +
      `stays down. Where it was cut off and never stopped, run this task again as soon as it answers: that stops it`,
  )
  for (const name of gone) {
    session.note(
      `when ${name} is back: ${session.command('pg-replica', ['--cluster', target.name, '--host', name])}`,
    )
  }
}

/** Who cannot be led there is told of; the promotion stands all the same. */
async function leadClients(session: Session<HandoverFlags>, target: ClusterTarget, to: Node): Promise<void> {
  const clients = await lookAtClients(session, target, 'primary gone')
  await letClientsFollow(session, target, clients, to.name)
}

/** What came back starts as a standby only, whoever starts it. */
async function fence(
  session: Session<HandoverFlags>,
  target: ClusterTarget,
  to: Node,
  returned: Node[],
): Promise<void> {
  if (returned.length === 0) session.note(`${to.name} is the primary already`)
  for (const { name, instance } of returned) {
    await session.step(`Stop ${name}, and let it never be a primary again by itself`, () =>
      stopAndMark(instance),
    )
    session.note(
      `let it join again: ${session.command('pg-replica', ['--cluster', target.name, '--host', name])}`,
    )
  }
  await leadClients(session, target, to)
}

await runIfMain(import.meta, task)

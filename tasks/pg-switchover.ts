/**
 * Makes a standby the primary, and the primary a standby, without losing a committed row.
 * Clients of the pooler wait meanwhile; others are cut off once and have to connect anew. Pooler and apps follow.
 * Safe to run again: a run that was cut off is finished, or taken back, by the next one.
 *
 *   npx tsx tasks/pg-switchover.ts --dry-run
 *   npx tsx tasks/pg-switchover.ts --to pg-replica         # asks you to type the cluster's name
 *   npx tsx tasks/pg-switchover.ts --to pg-replica --yes   # scripts
 */
import { reasonOf } from '../lib/postgres/cluster.ts'
import {
  type Clients,
  describeMoves,
  insistOnAll,
  letClientsFollow,
  lookAtClients,
} from '../lib/postgres/replication/clients.ts'
import {
  type ClusterTarget,
  clusterPreflight,
  clusterTarget,
  type HandoverFlags,
  handoverFlags,
} from '../lib/postgres/replication/cluster-target.ts'
import { follow, followingOf, letFollow } from '../lib/postgres/replication/following.ts'
import {
  checkpoint,
  describeClients,
  insistOnPromotion,
  promote,
  proveCaughtUp,
  provePromoted,
  proveRevived,
  revive,
  stopAndMark,
} from '../lib/postgres/replication/handover.ts'
import { joinWay } from '../lib/postgres/replication/join-way.ts'
import { leaderOf, lookAtCluster } from '../lib/postgres/replication/look.ts'
import { bytesBetween } from '../lib/postgres/replication/lsn.ts'
import { isPrimary, type Node, type Nodes, readNode, readNodes } from '../lib/postgres/replication/nodes.ts'
import { loginProblem } from '../lib/postgres/replication/replica-login.ts'
import { readStanding, slotName, writeRecord } from '../lib/postgres/replication/replication.ts'
import { dropIdleSlot, ensureSlot } from '../lib/postgres/replication/slot.ts'
import { markStandby } from '../lib/postgres/replication/standby-signal.ts'
import { proveReplication, watchStandby } from '../lib/postgres/replication/stream.ts'
import { planSwitch, type SwitchPlan, targetOf } from '../lib/postgres/replication/switch-plan.ts'
import { TaskError } from '../lib/task/errors.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'
import { duration } from '../lib/task/text.ts'

export const task = defineTask({
  name: 'pg-switchover',
  summary: 'Make a standby the primary, and the primary a standby',
  details:
    'Stops the primary in good order, promotes the standby once it has everything, and lets the old primary ' +
    'follow it. The clients of the pooler wait meanwhile; pooler and apps are led to the new primary. ' +
    'There are never two that take writes, wherever it is cut off. Safe to run again.',
  examples: ['npx tsx tasks/pg-switchover.ts --dry-run', 'npx tsx tasks/pg-switchover.ts --to pg-replica'],
  flags: handoverFlags,
  preflight: ({ estate, flags: given }) => clusterPreflight(estate, { ...given, host: given.to }, true),
  async run(session) {
    const target = clusterTarget(session.estate, session.flags.cluster)
    const nodes = await lookAtCluster(session, target)
    const to = targetOf(nodes, session.flags.to)
    const plan = planSwitch(nodes, to, (host) =>
      session.command('pg-replica', ['--cluster', target.name, '--host', host]),
    )
    const clients = await lookAtClients(session, target, plan.way === 'switch' ? 'all is well' : 'cut off')
    try {
      if (plan.way !== 'rejoin') await handOver(session, target, plan, clients)
      await letClientsFollow(session, target, clients, to.name)
      await rejoin(session, target, to, nodes)
    } finally {
      await resume(session, clients)
    }
    if (!session.dryRun) insistOnAll(clients, to.name)
  },
})

type HandOver = Exclude<SwitchPlan, { way: 'rejoin' }>

async function handOver(
  session: Session<HandoverFlags>,
  target: ClusterTarget,
  plan: HandOver,
  clients: Clients,
): Promise<void> {
  const { way, from, to } = plan
  const { pooler } = clients
  const again = switchCommand(session, target, to)
  if (way === 'switch') {
    const lag = bytesBetween(to.standing?.lsn ?? '0/0', from.standing?.lsn ?? '0/0')
    session.note(
      `${to.name} streams from ${from.name} and is ${lag} bytes behind\n${await describeClients(from.server, pooler?.name)}`,
    )
  } else {
    session.warn(`nobody takes writes: a switchover from ${from.name} to ${to.name} was cut off`)
  }
  const moves = await describeMoves(session, target, clients, way === 'revive' ? from.name : to.name)
  if (moves.length > 0) session.note(moves.join('\n'))
  await session.confirm(
    target.name,
    `This makes ${to.name} the primary of ${target.name} in place of ${from.name}.`,
  )
  if (way === 'revive') {
    await session.step(
      `Let ${from.name} take writes again`,
      () => revive(from, to, session.dryRun),
      () => proveRevived(from),
    )
    await letClientsFollow(session, target, clients, from.name)
    throw new TaskError(`${to.name} lacked something of ${from.name}; ${from.name} is the primary again`, {
      next: again,
    })
  }
  await session.step(`Prepare ${from.name} to follow ${to.name}`, async () => {
    const standing = await readStanding(to.server)
    const problem = await loginProblem(session, target, from.instance, to.name, standing.system)
    if (problem !== undefined) throw new TaskError(problem)
    await ensureSlot(session, { node: to, standing }, from.name, false)
    await follow(session, target, from, to.name)
    if (way === 'switch') await checkpoint(from.server)
  })
  let promoting = false
  if (pooler) {
    await session.step(`Pause ${pooler.name}`, async (step) => {
      step.detail = await pooler.pause().catch((error: unknown) => {
        if (way === 'switch') throw error
        return `its clients do not wait: ${reasonOf(error)}`
      })
    })
  }
  const start = pooler?.since ?? performance.now()
  try {
    if (way === 'switch') await session.step(`Stop ${from.name}`, () => stopAndMark(from.instance))
    else await markStandby(from.instance)
    if (!from.standing || way === 'switch') {
      await session.prove(`Prove that ${to.name} has everything`, async (step) => {
        step.detail = `it is past the last record of ${from.name}, at ${await proveCaughtUp(from, to.server)}`
      })
    }
    // Before the promotion: whoever resumes it from now on, its clients go to the only one that can be the primary.
    if (pooler) await session.step(`Point ${pooler.name} to ${to.name}`, () => pooler.turn(to.name))
    promoting = true
    await session.step(
      `Promote ${to.name}`,
      () => promote(to.server),
      () => provePromoted(to.server),
    )
    if (pooler) {
      await session.step(`Resume ${pooler.name}`, async (step) => {
        if (!(await resume(session, clients))) step.detail = 'left to its own machine'
      })
    }
    await session.prove(`Write on ${to.name}`, async (step) => {
      await writeRecord(to.server)
      step.detail = `nobody could write for ${duration(performance.now() - start)} at most`
    })
  } catch (error) {
    await session.recover(error, {
      title: promoting ? `Promote ${to.name} all the same` : `Let ${from.name} take writes again`,
      next: again,
      work: async () => {
        if (promoting) {
          await insistOnPromotion(to, session.dryRun)
          await letClientsFollow(session, target, clients, to.name)
          return `${to.name} is the primary; let ${from.name} follow it with: ${again}`
        }
        await revive(from, to, session.dryRun)
        await proveRevived(from)
        await letClientsFollow(session, target, clients, from.name)
        return [`${from.name} is the primary as before`, ...clients.stragglers].join('\n')
      },
    })
  }
}

/** A pooler that we cannot resume any more is resumed by its own machine, and led to where we had pointed it. */
async function resume(session: Session<HandoverFlags>, { pooler }: Clients): Promise<boolean> {
  try {
    await pooler?.resume()
    return true
  } catch (error) {
    session.warn(`${pooler?.name} is resumed by its own machine within half a minute: ${reasonOf(error)}`)
    return false
  }
}

/** Whoever does not follow the new primary yet is made to. */
async function rejoin(
  session: Session<HandoverFlags>,
  target: ClusterTarget,
  to: Node,
  nodes: Nodes,
): Promise<void> {
  const others = nodes.nodes.filter(({ name }) => name !== to.name)
  for (const node of others) {
    const { name } = node
    const replica = session.command('pg-replica', ['--cluster', target.name, '--host', name])
    await session.step(`Let ${name} follow ${to.name}`, async () => {
      const now = await readNode(session, name, target.cluster)
      const leader = await leaderOf(to)
      if (session.dryRun && isPrimary(now)) return
      const way = joinWay(leader, now, false, replica)
      if (way.way === 'build') throw new TaskError(`${name} is no standby: ${way.why}`, { next: replica })
      await letFollow(session, target, leader, now)
    })
    await session.prove(`Prove that ${name} follows ${to.name}, and takes no writes`, async (step) => {
      const following = followingOf(session.estate, target, node.instance, to.name)
      const { obstacle } = await watchStandby(await leaderOf(to), node, following)
      if (obstacle) throw new TaskError(`${name} has parted from ${to.name}`, { next: replica })
      step.detail = await proveReplication(to.server, node.server)
    })
  }
  await session.step(`Drop the slots that nobody will use any more`, async () => {
    for (const { name, server } of others) {
      for (const host of target.cluster.hosts) {
        if (host !== name) await dropIdleSlot(server, slotName(host), session.dryRun)
      }
    }
  })
  await session.prove(`Prove that ${to.name} alone takes writes`, async () => {
    const { nodes: now, silent } = await readNodes(session, target.cluster)
    const leaders = now.filter((node) => isPrimary(node)).map(({ name }) => name)
    if (leaders.length !== 1 || leaders[0] !== to.name || silent.length > 0) {
      throw new TaskError(`these take writes: ${leaders.join(', ')}`)
    }
  })
}

function switchCommand(
  session: Session<HandoverFlags>,
  { name, production }: ClusterTarget,
  to: Node,
): string {
  const confirm = production ? ['--confirm', name] : []
  return session.command('pg-switchover', ['--cluster', name, '--to', to.name, ...confirm])
}

await runIfMain(import.meta, task)

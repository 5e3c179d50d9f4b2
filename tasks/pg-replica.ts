/**
 * Makes every machine of a cluster but the primary a standby that streams from it, through a slot of its own.
 * Builds what is missing, changes nothing on a healthy standby. Safe to run again.
 *
 *   npx tsx tasks/pg-replica.ts --dry-run
 *   npx tsx tasks/pg-replica.ts --cluster main
 *   npx tsx tasks/pg-replica.ts --host pg-replica --rebuild   # asks you to type "pg-replica"
 */
import * as z from 'zod'

import { baseBackup } from '../lib/postgres/replication/base-backup.ts'
import {
  type ClusterTarget,
  clusterPreflight,
  clusterTarget,
} from '../lib/postgres/replication/cluster-target.ts'
import { asideOf, dataBytes, placeData, removeData } from '../lib/postgres/replication/data-folder.ts'
import { installFence } from '../lib/postgres/replication/fence.ts'
import { follow, followingOf, letFollow, writePassfile } from '../lib/postgres/replication/following.ts'
import { stopAndMark } from '../lib/postgres/replication/handover.ts'
import { readInstance } from '../lib/postgres/replication/instance-facts.ts'
import type { InstancePlace } from '../lib/postgres/replication/instance-place.ts'
import { startAtBoot, startInstance, stopInstance } from '../lib/postgres/replication/instance-unit.ts'
import { buildProblems, clockProblem, followProblems } from '../lib/postgres/replication/join-problems.ts'
import {
  type JoinWay,
  joinWay,
  type Leader,
  type Obstacle,
  obstacleOf,
} from '../lib/postgres/replication/join-way.ts'
import { leaderOf, lookAtCluster } from '../lib/postgres/replication/look.ts'
import { type Node, primaryOf, readNode } from '../lib/postgres/replication/nodes.ts'
import { readHistory, type Standing } from '../lib/postgres/replication/replication.ts'
import { allowRewind, rewind, rewindProblem, tryRewind } from '../lib/postgres/replication/rewind.ts'
import { dropIdleSlot, ensureSlot } from '../lib/postgres/replication/slot.ts'
import { proveReplication, streams, watchStandby } from '../lib/postgres/replication/stream.ts'
import { parseHistory } from '../lib/postgres/replication/timeline.ts'
import { fromProblems, TaskError } from '../lib/task/errors.ts'
import { exitCode } from '../lib/task/exit-code.ts'
import type { Session } from '../lib/task/session.ts'
import { size } from '../lib/task/size.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  cluster: z
    .string()
    .optional()
    .meta({ description: 'the only one with several machines is the default', placeholder: 'NAME' }),
  host: z.string().optional().meta({ description: 'only this machine', placeholder: 'NAME' }),
  rebuild: z.boolean().default(false).describe('throw away what the standby has, and copy the primary anew'),
  confirm: z
    .string()
    .optional()
    .meta({ description: 'allow it for this production cluster', placeholder: 'NAME' }),
})
type Flags = z.output<typeof flags>

/** For a fast stop that waits for nobody. Milliseconds. */
const stopPatience = 90_000

export const task = defineTask({
  name: 'pg-replica',
  summary: 'Make the other machines of a cluster standbys of its primary',
  details:
    'Copies the primary with pg_basebackup, follows it through a replication slot, starts at boot. ' +
    'A standby whose data has parted from the primary is rewound or, with --rebuild, built anew; ' +
    'data of another cluster is moved aside. Safe to run again.',
  examples: ['npx tsx tasks/pg-replica.ts --dry-run', 'npx tsx tasks/pg-replica.ts --cluster main'],
  flags,
  preflight: ({ estate, flags: given }) => clusterPreflight(estate, given, given.rebuild),
  async run(session) {
    const target = clusterTarget(session.estate, session.flags.cluster)
    const nodes = await lookAtCluster(session, target)
    const { primary, superseded } = primaryOf(nodes)
    const wanted = session.flags.host
    if (wanted === primary.name) {
      throw new TaskError(`${wanted} is the primary of ${target.name}`, { code: exitCode.usage })
    }
    const silent = nodes.silent.filter(({ name }) => wanted === undefined || wanted === name)
    if (silent.length > 0) {
      throw new TaskError(`no answer: ${silent.map(({ why }) => why).join('; ')}`, {
        code: exitCode.unreachable,
        next: 'bring it back, or name another standby with --host',
      })
    }
    const others = nodes.nodes.filter(({ name }) => name !== primary.name)
    const chosen = others.filter(({ name }) => wanted === undefined || wanted === name)
    if (session.flags.rebuild && chosen.length > 1) {
      throw new TaskError(
        `--rebuild is for one machine: --host ${chosen.map(({ name }) => name).join(' or ')}`,
        {
          code: exitCode.usage,
        },
      )
    }
    // Whichever standby was asked for: it takes writes that nobody will see again.
    for (const node of superseded) await fence(session, node, primary)
    const joining: Joining[] = []
    for (const node of chosen) {
      const wasStopped = superseded.includes(node)
      // A dry run has not stopped it.
      if (wasStopped && session.dryRun) continue
      const now = wasStopped ? await readNode(session, node.name, target.cluster) : node
      joining.push(await check(session, target, await leaderOf(primary), now))
    }
    for (const { name, instance } of [primary, ...chosen]) {
      await session.step(`Let ${name} ask the others before it starts as a primary`, () =>
        installFence(session, target, instance),
      )
    }
    for (const each of joining) await join(session, target, await leaderOf(primary), each)
  },
})

async function fence(session: Session<Flags>, { name, instance }: Node, primary: Node): Promise<void> {
  session.warn(`${name} came back as a primary, and ${primary.name} was promoted in its place`)
  await session.step(`Stop ${name}, and let it never be a primary again by itself`, () =>
    stopAndMark(instance),
  )
}

interface Joining {
  node: Node
  way: JoinWay
}

/** All that can be told before anything is changed. */
async function check(
  session: Session<Flags>,
  target: ClusterTarget,
  leader: Leader,
  node: Node,
): Promise<Joining> {
  const { name, instance, facts } = node
  const primary = leader.node.name
  const way = joinWay(leader, node, session.flags.rebuild, rebuildCommand(session, target, name))
  if (way.way === 'follow') {
    const problems = followProblems(session, leader, node)
    if (problems.length > 0) throw fromProblems(problems, { code: exitCode.failed })
    const clock = clockProblem(node, leader.node)
    if (clock !== undefined) session.warn(clock)
    return { node, way }
  }
  await session.step(`Check that ${name} can copy ${primary}`, async (step) => {
    const freed = way.old === 'its own' ? await dataBytes(instance) : 0
    const problems = await buildProblems(session, target, leader, node, freed)
    if (problems.length > 0) throw fromProblems(problems, { code: exitCode.failed })
    step.detail = `${size(leader.standing.bytes)} to copy, ${size(facts.freeBytes)} free; ${way.why}`
  })
  return { node, way }
}

async function join(
  session: Session<Flags>,
  target: ClusterTarget,
  leader: Leader,
  { node, way }: Joining,
): Promise<void> {
  const { name, instance } = node
  const primary = leader.node.name
  if (way.way === 'build') await build(session, target, leader, node, way)
  else {
    await session.step(`Let ${name} follow ${primary} through a slot of its own`, () =>
      letFollow(session, target, leader, node),
    )
  }
  if (!node.facts.startsAtBoot) await session.step(`Start ${name} at boot`, () => startAtBoot(instance))
  if (session.dryRun && !node.standing) return
  const found = await session.step(`Wait until ${name} streams`, () => watch(session, target, leader, node))
  if (found.obstacle) await overcome(session, target, leader, node, found.standing, found.obstacle)
  await session.prove(`Prove that ${name} follows ${primary}`, async (step) => {
    step.detail = await proveReplication(leader.node.server, node.server)
  })
}

type Found = { standing: Standing; obstacle: Obstacle | undefined }

/** A dry run has changed nothing that would be worth waiting for. */
async function watch(
  session: Session<Flags>,
  target: ClusterTarget,
  leader: Leader,
  { name, instance, server, standing }: Node,
): Promise<Found> {
  const following = followingOf(session.estate, target, instance, leader.node.name)
  if (!session.dryRun || !standing) return watchStandby(leader, { name, instance, server }, following)
  if (streams(standing, following)) return { standing, obstacle: undefined }
  const own = parseHistory(await readHistory(server, standing.timeline))
  return { standing, obstacle: obstacleOf(leader, standing, own, following.slot) }
}

async function build(
  session: Session<Flags>,
  target: ClusterTarget,
  leader: Leader,
  node: Node,
  { old, why }: Extract<JoinWay, { way: 'build' }>,
): Promise<void> {
  const { name, instance } = node
  const { server, name: primary } = leader.node
  const aside = asideOf(instance, new Date())
  if (old === 'of another cluster') session.note(`its data will be kept as ${aside}`)
  if (old === 'its own') {
    const proof = await session.confirm(name, `${why}. This removes what ${name} has in ${instance.data}.`)
    await session.step(`Remove the old data of ${name}`, async () => {
      await stopInstance(instance, stopPatience)
      await removeData(instance, proof)
    })
  }
  const following = followingOf(session.estate, target, instance, primary)
  const made = await session.step(`Make the slot ${following.slot} on ${primary}`, () =>
    ensureSlot(session, leader, name, false),
  )
  try {
    await session.step(`Copy ${primary} to ${name}`, async (step) => {
      await writePassfile(session, target, instance)
      await session.follow(step, baseBackup(instance, following))
    })
  } catch (error) {
    await session.recover(error, {
      title: `Leave nothing of the copy behind`,
      next: session.command('pg-replica', ['--cluster', target.name, '--host', name]),
      work: async () => {
        const dropped = made && (await dropIdleSlot(server, following.slot, session.dryRun))
        return dropped
          ? `the slot ${following.slot} is dropped again; ${name} is no standby`
          : `the slot ${following.slot} on ${primary} is kept, and keeps WAL; the next run uses it`
      },
    })
  }
  await session.step(`Put the copy in place and start ${name}`, async () => {
    await placeData(instance, old === 'of another cluster' ? aside : undefined)
    await follow(session, target, { ...node, standing: undefined }, primary)
    await startInstance(instance)
  })
}

/** @throws TaskError with the facts, where a rewind cannot help */
async function overcome(
  session: Session<Flags>,
  target: ClusterTarget,
  leader: Leader,
  node: Node,
  standing: Standing,
  obstacle: Obstacle,
): Promise<void> {
  const { name, instance } = node
  const primary = leader.node.name
  const next = rebuildCommand(session, target, name)
  if (obstacle.is === 'too late') {
    throw new TaskError(
      `${name} needs WAL from ${obstacle.needs} on, and ${primary} has thrown it away (the oldest is ${obstacle.oldest})`,
      { next },
    )
  }
  const lost =
    `${name} has parted from ${primary}: they were the same up to ${obstacle.at} on timeline ${obstacle.timeline}, ` +
    `and ${name} has ${size(obstacle.bytes)} (${obstacle.bytes} bytes) of WAL after that, which nobody else has`
  const problem = await rewindProblem(session, target, leader, node, standing)
  if (problem !== undefined) {
    throw new TaskError(`${lost}\npg_rewind cannot help: ${problem}`, { next })
  }
  if (target.production && session.flags.confirm === undefined) {
    throw new TaskError(
      `${lost}\n${target.name} holds a production database; to give this up, add --confirm ${target.name}`,
      {
        code: exitCode.usage,
      },
    )
  }
  session.note(lost)
  const proof = await session.confirm(name, `pg_rewind gives up what only ${name} has.`)
  await session.step(`Rewind ${name} to where it parted from ${primary}`, async (step) => {
    await allowRewind(leader.node.server, target.role)
    await stopInstance(instance, stopPatience)
    const refusal = session.dryRun ? undefined : await tryRewind(session, target, instance, primary)
    if (refusal !== undefined) {
      await session.recover(new TaskError(`pg_rewind cannot help ${name}`, { seen: refusal, next }), {
        title: `Start ${name} again`,
        next,
        // It may know too much of the primary by now to start with what it has.
        work: async () => {
          await startInstance(instance)
          return `${name} runs as before, and does not follow`
        },
      })
    }
    try {
      await session.follow(step, rewind(session, target, instance, primary, proof))
    } catch (error) {
      await leaveRewind(session, target, instance, error, next)
    }
    await follow(session, target, { ...node, standing: undefined }, primary)
    await startInstance(instance)
  })
  const again = await session.step(`Wait until ${name} streams`, () => watch(session, target, leader, node))
  if (again.obstacle) throw new TaskError(`${name} does not follow ${primary} after the rewind`, { next })
}

/** What pg_rewind has begun, nobody can take back. @throws TaskError always */
async function leaveRewind(
  session: Session<Flags>,
  target: ClusterTarget,
  { host, version }: InstancePlace,
  error: unknown,
  rebuild: string,
): Promise<never> {
  const { name } = host
  const again = session.command('pg-replica', ['--cluster', target.name, '--host', name])
  return session.recover(error, {
    title: `Look at what is left of ${name}`,
    next: again,
    work: async () => {
      const { facts } = await readInstance(host, version)
      return facts.left.includes('rewinding')
        ? `${name} is stopped, and half rewound it is no use; build it anew: ${rebuild}`
        : `${name} is stopped, and has what it had; once more: ${again}`
    },
  })
}

function rebuildCommand(session: Session<Flags>, { name, production }: ClusterTarget, host: string): string {
  const confirm = production ? ['--confirm', name] : []
  return session.command('pg-replica', ['--cluster', name, '--host', host, '--rebuild', ...confirm])
}

await runIfMain(import.meta, task)

/**
 * Makes PostgreSQL servers of the machines of a cluster, or brings those that are there to the inventory: packages,
 * settings, pg_hba.conf, roles, databases. Drops nothing, and keeps what was written by hand. Safe to run again.
 *
 *   npx tsx tasks/pg-setup.ts --dry-run
 *   npx tsx tasks/pg-setup.ts
 *   npx tsx tasks/pg-setup.ts --cluster main --yes    # scripts; a restart that ends sessions is not asked about
 */
import { z } from 'zod'

import { readDatabases } from '../lib/postgres/catalog.ts'
import { type Current, readCurrent } from '../lib/postgres/conf.ts'
import { createCluster, isPrepared } from '../lib/postgres/debian.ts'
import { accessLines } from '../lib/postgres/hba.ts'
import {
  bringUp,
  type Instance,
  instanceOf,
  start as startNow,
  startAtBoot,
} from '../lib/postgres/instance.ts'
import { readRoles, roleStatements } from '../lib/postgres/roles.ts'
import { bringAccess } from '../lib/postgres/setup/access.ts'
import {
  checkDatabases,
  databaseStatements,
  plainUnicode,
  proveDatabasesSetUp,
  wantedDatabases,
} from '../lib/postgres/setup/databases.ts'
import { lookAtAll } from '../lib/postgres/setup/look.ts'
import { distributionVersion, installServer, proveInstalled } from '../lib/postgres/setup/packages.ts'
import { checkMachine, type Member, type Plan, planCluster } from '../lib/postgres/setup/plan.ts'
import { describeProof, proveAccess } from '../lib/postgres/setup/proof.ts'
import {
  applySettings,
  countClients,
  planSettings,
  proveSettings,
  writeFirstSettings,
} from '../lib/postgres/setup/settings.ts'
import { type SetupTarget, setupPreflight, setupTarget, wantedRoles } from '../lib/postgres/setup/target.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  cluster: z.string().optional().meta({
    description: 'the cluster, as the inventory calls it; default: the only one',
    placeholder: 'NAME',
  }),
})
type Flags = z.output<typeof flags>

export const task = defineTask({
  name: 'pg-setup',
  summary: 'Set the PostgreSQL servers of a cluster up, as the inventory has them',
  details:
    'Installs the packages, makes the server, writes settings and pg_hba.conf, makes roles and databases, and ' +
    'proves the access rules by logins. Drops nothing and keeps what was written by hand. Safe to run again.',
  examples: ['npx tsx tasks/pg-setup.ts --dry-run', 'npx tsx tasks/pg-setup.ts --cluster main'],
  flags,
  preflight: ({ estate, flags: given }) => {
    const target = setupTarget(estate, given.cluster)
    return {
      ...setupPreflight(estate, target),
      // Each of them: one that does not answer may be the primary.
      reach: target.cluster.hosts.map((host) => [{ host, as: 'root' }]),
    }
  },
  async run(session) {
    const target = setupTarget(session.estate, session.flags.cluster)
    const { name, cluster } = target
    const look = async () => planCluster(target, await lookAtAll(session.hosts, target))
    const names = cluster.hosts.join(', ')
    const seen = await session.step(`Look at ${names}`, async (step) => {
      const plan = await look()
      step.detail = `the primary is ${plan.primary.machine.name}`
      return plan
    })
    const { host } = seen.primary.machine
    await session.lock(`pg-cluster/${name}`, (holder) => host.lock(`pg-cluster/${name}`, holder))
    // Another run may have been at work until it gave the lock back.
    const plan = session.dryRun ? seen : await session.step(`Look at ${names} with the lock`, look)
    const version = plan.version ?? (await distributionVersion(plan.primary.machine))
    await session.step(`Look for what would be in the way`, () => lookForObstacles(session, target, plan))

    const primary = await setUp(session, target, plan.primary, version)
    const limits = primary.cluster.running ? await readCurrent(primary.server) : []
    for (const member of plan.standbys) await setUp(session, target, member, version, limits)
    await setUpRoles(session, target, primary)
    await setUpDatabases(session, target, primary)
    await session.prove(`Prove the access rules of ${name}`, async (step) => {
      const proof = await proveAccess(session, target, primary)
      step.detail = describeProof(proof)
      for (const one of proof.untried) session.note(`not tried: ${one}`)
    })
  },
})

/** What the machines and the server know better than the inventory, found out before the first change. */
async function lookForObstacles(session: Session<Flags>, target: SetupTarget, plan: Plan): Promise<void> {
  for (const { machine } of [plan.primary, ...plan.standbys]) checkMachine(machine, target)
  const { machine, cluster } = plan.primary
  if (!cluster?.running) return
  const undo = (name: string) =>
    session.command('pg-reset', ['--database', `${target.name}/${name}`, '--undo'])
  const found = await readDatabases(instanceOf(machine.host, cluster).server)
  checkDatabases(machine.name, target, found, undo)
}

/**
 * Packages, the server itself, who may connect, settings. One that is to become a standby is made, and not started.
 * @param limits what the primary runs with, for a standby
 */
async function setUp(
  session: Session<Flags>,
  target: SetupTarget,
  { machine, cluster: found, part }: Member,
  version: number,
  limits?: Current[],
): Promise<Instance> {
  const { name, host, memory, installed } = machine
  const { port, locale = plainUnicode } = target.cluster
  const { run } = session
  await session.step(
    `Have postgresql-${version} on ${name}`,
    async () => {
      if (installed.includes(version)) session.unchanged(name, 'root', `install postgresql-${version}`)
      else await installServer(machine, version)
    },
    () => proveInstalled(machine, version),
  )
  const start = part === 'primary' ? 'auto' : 'manual'
  const cluster =
    found ??
    (await session.step(`Make the server ${version}/main on ${name}`, () =>
      createCluster(machine, { version, port, locale, start }),
    ))
  const made = instanceOf(host, cluster)
  if (!found || isPrepared(cluster)) {
    await session.step(`Write its first settings`, () => writeFirstSettings(made, port, memory, limits))
  }
  if (part === 'standby' && !cluster.running) {
    await setUpAccess(session, target, made)
    session.note(`the server on ${name} is not running; it waits for being made a standby`)
    return made
  }
  const instance = await session.step(`Have PostgreSQL running on ${name}`, async () => {
    if (part === 'primary') await startAtBoot(made)
    if (!cluster.running) await bringUp(made, () => startNow(made, run))
    return instanceOf(host, { ...cluster, running: cluster.running || !session.dryRun })
  })
  // Before a restart: with a line that PostgreSQL does not take, it would not come up.
  await setUpAccess(session, target, instance)
  if (!instance.cluster.running) return instance
  await bringSettings(session, instance, target, memory, limits)
  return instanceOf(host, { ...instance.cluster, port })
}

async function setUpAccess(session: Session<Flags>, target: SetupTarget, instance: Instance): Promise<void> {
  const { estate, run } = session
  await session.step(`Bring pg_hba.conf on ${instance.name} to the access rules`, () =>
    bringAccess(instance, accessLines(estate, target.cluster), run, (text) => session.note(text)),
  )
}

async function bringSettings(
  session: Session<Flags>,
  instance: Instance,
  { cluster }: SetupTarget,
  memory: number,
  limits: Current[] | undefined,
): Promise<void> {
  const { name } = instance
  const plan = await session.step(`Look at the settings of ${name}`, () =>
    planSettings(instance, cluster.port, memory, limits),
  )
  if (plan.kept.length > 0) session.note(`set by hand on ${name}, and kept: ${plan.kept.join('; ')}`)
  if (plan.restart.length > 0) {
    const clients = await countClients(instance)
    session.note(`${name} takes a restart for ${plan.restart.join(', ')}; connected clients: ${clients}`)
    if (clients > 0) await session.confirm(name, `The restart ends the ${clients} sessions on ${name}.`)
  }
  await session.step(
    plan.restart.length > 0
      ? `Bring ${name} to its settings, with a restart`
      : `Bring ${name} to its settings`,
    () => applySettings(instance, plan, session.run),
    () => proveSettings(instance, plan),
  )
}

async function setUpRoles(session: Session<Flags>, target: SetupTarget, primary: Instance): Promise<void> {
  const { server, cluster } = primary
  await session.step(`Bring the roles on ${primary.name} to the inventory`, async () => {
    const found = cluster.running ? await readRoles(server) : []
    for (const wanted of wantedRoles(session.estate, target.cluster)) {
      const there = found.find(({ name }) => name === wanted.name)
      const statements = await roleStatements(wanted, there, (secret) => session.run.onSecret(secret))
      if (statements.length > 0) await server.change(statements)
      else session.unchanged(server.name, 'postgres', `role ${wanted.name}`)
    }
  })
}

async function setUpDatabases(
  session: Session<Flags>,
  target: SetupTarget,
  primary: Instance,
): Promise<void> {
  const { server, cluster, name } = primary
  const all = wantedDatabases(target.cluster)
  await session.step(
    `Bring the databases on ${name} to the inventory`,
    async () => {
      const found = cluster.running ? await readDatabases(server) : []
      for (const wanted of all) {
        const statements = databaseStatements(wanted, target.cluster.locale, found)
        for (const statement of statements) await server.change([statement])
        if (statements.length === 0) session.unchanged(name, 'postgres', `database ${wanted.name}`)
      }
    },
    async () => proveDatabasesSetUp(name, all, await readDatabases(server)),
  )
}

await runIfMain(import.meta, task)

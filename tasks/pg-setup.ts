/**
 * Makes PostgreSQL servers of the machines of a cluster, or brings those that are there to the inventory: packages,
 * settings, pg_hba.conf, roles, databases. Drops nothing, and keeps what was written by hand. Safe to run again.
 *
 *   npx tsx tasks/pg-setup.ts --dry-run
 *   npx tsx tasks/pg-setup.ts
 *   npx tsx tasks/pg-setup.ts --cluster main --yes    # scripts; a restart that ends sessions is not asked about
 */
import * as z from 'zod'

import { type DatabaseFacts, readDatabases } from '../lib/postgres/catalog.ts'
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
import { type RoleFacts, roleStatements } from '../lib/postgres/roles.ts'
import { type AccessFacts, bringAccess, lookAtAccess } from '../lib/postgres/setup/access.ts'
import {
  checkDatabases,
  databaseStatements,
  plainUnicode,
  proveDatabasesSetUp,
  wantedDatabases,
} from '../lib/postgres/setup/databases.ts'
import { lookAtAll, lookAtServer, type ServerFacts } from '../lib/postgres/setup/look.ts'
import { distributionVersion, installServer, proveInstalled } from '../lib/postgres/setup/packages.ts'
import { checkMachine, type Member, type Plan, planCluster } from '../lib/postgres/setup/plan.ts'
import { describeProof, proveAccess, reachClients } from '../lib/postgres/setup/proof.ts'
import {
  applySettings,
  countClients,
  planSettings,
  proveSettings,
  type SettingsFacts,
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
    // On all of them, and before the first look: it does not take knowing which one is the primary.
    for (const host of cluster.hosts) {
      const machine = await session.hosts.get(host)
      await session.lock(`pg-cluster/${name}`, (holder) => machine.lock(`pg-cluster/${name}`, holder))
    }
    if (!session.dryRun) reachClients(session, target)
    const plan = await session.step(`Look at ${cluster.hosts.join(', ')}`, async (step) => {
      const found = planCluster(target, await lookAtAll(session.hosts, target))
      step.detail = `the primary is ${found.primary.machine.name}`
      return found
    })
    const version = plan.version ?? (await distributionVersion(plan.primary.machine))
    const servers = await session.step(`Look for what would be in the way`, () =>
      lookForObstacles(session, target, plan),
    )

    const primary = await setUp(session, target, plan.primary, version, { facts: servers.get(plan.primary) })
    const limits =
      plan.standbys.length > 0 && primary.cluster.running ? await readCurrent(primary.server) : []
    for (const member of plan.standbys)
      await setUp(session, target, member, version, { facts: servers.get(member), limits })
    await setUpContents(session, target, primary, servers.get(plan.primary))
    await session.prove(`Prove the access rules of ${name}`, async (step) => {
      const proof = await proveAccess(session, target, primary)
      step.detail = describeProof(proof)
      for (const one of proof.untried) session.note(`not tried: ${one}`)
    })
  },
})

/** What the machines and the server know better than the inventory, found out before the first change. */
async function lookForObstacles(
  session: Session<Flags>,
  target: SetupTarget,
  { primary, standbys }: Plan,
): Promise<Map<Member, ServerFacts>> {
  const members = [primary, ...standbys]
  for (const { machine } of members) checkMachine(machine, target)
  const servers = new Map<Member, ServerFacts>()
  await Promise.all(
    members.map(async (member) => {
      const { machine, cluster } = member
      if (cluster?.running) servers.set(member, await lookAtServer(instanceOf(machine.host, cluster)))
    }),
  )
  const undo = (name: string) =>
    session.command('pg-reset', ['--database', `${target.name}/${name}`, '--undo'])
  checkDatabases(primary.machine.name, target, servers.get(primary)?.databases ?? [], undo)
  return servers
}

/**
 * Packages, the server itself, who may connect, settings. One that is to become a standby is made, and not started.
 * @param known of its server, where it was running; and what the primary runs with, for a standby
 */
async function setUp(
  session: Session<Flags>,
  target: SetupTarget,
  { machine, cluster: found, part }: Member,
  version: number,
  { facts, limits }: { facts: ServerFacts | undefined; limits?: Current[] },
): Promise<Instance> {
  const { name, host, memory, installed, enabled } = machine
  const { port, locale = plainUnicode } = target.cluster
  const { run } = session
  await session.step(
    `Have postgresql-${version} on ${name}`,
    async () => {
      if (installed.includes(version)) session.unchanged(name, 'root', `install postgresql-${version}`)
      else await installServer(machine, version)
    },
    async () => {
      if (!installed.includes(version)) await proveInstalled(machine, version)
    },
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
    await setUpAccess(session, target, made, await lookAtAccess(made))
    session.note(`the server on ${name} is not running; it waits for being made a standby`)
    return made
  }
  const instance = await session.step(`Have PostgreSQL running on ${name}`, async () => {
    if (part === 'primary' && !(cluster.running && enabled === 'enabled')) await startAtBoot(made)
    if (!cluster.running) await bringUp(made, () => startNow(made, run))
    return instanceOf(host, { ...cluster, running: cluster.running || !session.dryRun })
  })
  // Before a restart: with a line that PostgreSQL does not take, it would not come up.
  const { running } = instance.cluster
  const { access } = facts ?? { access: await lookAtAccess(instance) }
  const hasChanged = await setUpAccess(session, target, instance, access)
  if (!running) return instance
  const settings = facts && !hasChanged ? facts.settings : (await lookAtServer(instance)).settings
  await bringSettings(session, instance, target, { memory, limits, settings })
  return instanceOf(host, { ...instance.cluster, port })
}

/** @returns whether there was anything to do */
async function setUpAccess(
  session: Session<Flags>,
  target: SetupTarget,
  instance: Instance,
  facts: AccessFacts,
): Promise<boolean> {
  const { estate, run } = session
  return session.step(`Bring pg_hba.conf on ${instance.name} to the access rules`, () =>
    bringAccess(instance, facts, accessLines(estate, target.cluster), run, (text) => session.note(text)),
  )
}

async function bringSettings(
  session: Session<Flags>,
  instance: Instance,
  { cluster }: SetupTarget,
  { memory, limits, settings }: { memory: number; limits: Current[] | undefined; settings: SettingsFacts },
): Promise<void> {
  const { name } = instance
  const plan = planSettings(instance, settings, cluster.port, memory, limits)
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

/** Roles and databases. */
async function setUpContents(
  session: Session<Flags>,
  target: SetupTarget,
  primary: Instance,
  facts: ServerFacts | undefined,
): Promise<void> {
  const { running } = primary.cluster
  const { roles, databases } = facts ?? (running ? await lookAtServer(primary) : { roles: [], databases: [] })
  await setUpRoles(session, target, primary, roles)
  await setUpDatabases(session, target, primary, databases)
}

async function setUpRoles(
  session: Session<Flags>,
  target: SetupTarget,
  { server, name }: Instance,
  found: RoleFacts[],
): Promise<void> {
  await session.step(`Bring the roles on ${name} to the inventory`, async () => {
    for (const wanted of wantedRoles(session.estate, target.cluster)) {
      const there = found.find((role) => role.name === wanted.name)
      const statements = await roleStatements(wanted, there, (secret) => session.run.onSecret(secret))
      if (statements.length > 0) await server.change(statements)
      else session.unchanged(name, 'postgres', `role ${wanted.name}`)
    }
  })
}

async function setUpDatabases(
  session: Session<Flags>,
  { cluster }: SetupTarget,
  { server, name }: Instance,
  found: DatabaseFacts[],
): Promise<void> {
  const all = wantedDatabases(cluster)
  await session.step(
    `Bring the databases on ${name} to the inventory`,
    async () => {
      let isSo = true
      for (const wanted of all) {
        const statements = databaseStatements(wanted, cluster.locale, found)
        for (const statement of statements) await server.change([statement])
        if (statements.length === 0) session.unchanged(name, 'postgres', `database ${wanted.name}`)
        else isSo = false
      }
      return isSo
    },
    async (isSo) => proveDatabasesSetUp(name, all, isSo ? found : await readDatabases(server)),
  )
}

await runIfMain(import.meta, task)

/**
 * Brings pg_hba.conf on the machines of a cluster to the access rules of the inventory, and proves them by logins.
 * Lines by hand stay. A file that PostgreSQL does not take, or that would lock us out, is put back. Safe to run again.
 *
 *   npx tsx tasks/pg-access.ts --dry-run
 *   npx tsx tasks/pg-access.ts
 *   npx tsx tasks/pg-access.ts --cluster main
 */
import * as z from 'zod'

import { accessLines, readHbaRules } from '../lib/postgres/hba.ts'
import { checkConf, instanceOf } from '../lib/postgres/instance.ts'
import { bringAccess, describeTrust, lookAtAccess, trustingRules } from '../lib/postgres/setup/access.ts'
import { lookAtReachable } from '../lib/postgres/setup/look.ts'
import { planCluster } from '../lib/postgres/setup/plan.ts'
import { describeProof, proveAccess, reachClients } from '../lib/postgres/setup/proof.ts'
import { setupPreflight, setupTarget } from '../lib/postgres/setup/target.ts'
import { TaskError } from '../lib/task/errors.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  cluster: z.string().optional().meta({
    description: 'the cluster, as the inventory calls it; default: the only one',
    placeholder: 'NAME',
  }),
})

export const task = defineTask({
  name: 'pg-access',
  summary: 'Bring pg_hba.conf to the access rules of the inventory, and prove them',
  details:
    'Writes one block into pg_hba.conf on each machine of the cluster; lines by hand stay. PostgreSQL checks the file ' +
    'before it goes by it; one with an error, or that would lock us out, is put back. Safe to run again.',
  examples: ['npx tsx tasks/pg-access.ts --dry-run', 'npx tsx tasks/pg-access.ts --cluster main'],
  flags,
  preflight: ({ estate, flags: given }) => {
    const target = setupTarget(estate, given.cluster)
    return {
      ...setupPreflight(estate, target),
      reach: [target.cluster.hosts.map((host) => ({ host, as: 'root' }))],
    }
  },
  async run(session) {
    const { estate, run } = session
    const target = setupTarget(estate, session.flags.cluster)
    const { name, cluster } = target
    const { plan, silent } = await session.step(`Look at ${cluster.hosts.join(', ')}`, async (step) => {
      const looked = await lookAtReachable(session.hosts, target)
      const found = planCluster(target, looked.machines)
      step.detail = `the primary is ${found.primary.machine.name}`
      return { plan: found, silent: looked.silent }
    })
    const { machine, cluster: server } = plan.primary
    if (!server?.running) {
      throw new TaskError(`no server of ${name} is running on ${machine.name}`, {
        next: session.command('pg-setup', ['--cluster', name]),
      })
    }
    await session.lock(`pg-cluster/${name}`, (holder) => machine.host.lock(`pg-cluster/${name}`, holder))
    if (!session.dryRun) reachClients(session, target)
    const primary = instanceOf(machine.host, server)
    const lines = accessLines(estate, cluster)
    for (const member of [plan.primary, ...plan.standbys]) {
      if (!member.cluster) {
        session.note(`${member.machine.name} has no server yet, so no pg_hba.conf`)
        continue
      }
      const instance = instanceOf(member.machine.host, member.cluster)
      await session.step(`Bring pg_hba.conf on ${instance.name} to the access rules`, async () => {
        const [facts] = await Promise.all([
          lookAtAccess(instance),
          instance.cluster.running ? checkConf(instance) : undefined,
        ])
        await bringAccess(instance, facts, lines, run, (text) => session.note(text))
      })
    }
    for (const rule of trustingRules(await readHbaRules(primary.server)))
      session.warn(describeTrust(rule, primary))
    for (const host of silent) {
      session.warn(`${host} does not answer and has its old pg_hba.conf; run this again when it is back`)
    }
    await session.prove(`Prove the access rules of ${name}`, async (step) => {
      const proof = await proveAccess(session, target, primary)
      step.detail = describeProof(proof)
      for (const one of proof.untried) session.note(`not tried: ${one}`)
    })
  },
})

await runIfMain(import.meta, task)

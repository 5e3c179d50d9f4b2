/**
 * Brings the pgbouncer of a cluster to what the inventory says: databases, users, pool mode, sizes.
 * What somebody has written into its files by hand stays. No client is dropped. Safe to run again.
 *
 *   npx tsx tasks/pg-pooler.ts --cluster main --dry-run
 *   npx tsx tasks/pg-pooler.ts --cluster main
 */
import * as z from 'zod'

import { configure, isSame, putFilesBack, readFiles, writeFiles } from '../lib/pgbouncer/configuration.ts'
import { describePools } from '../lib/pgbouncer/console.ts'
import { bringUp } from '../lib/pgbouncer/load.ts'
import type { Pooler } from '../lib/pgbouncer/pooler.ts'
import { poolerOf } from '../lib/pgbouncer/poolers.ts'
import {
  checkDatabases,
  clientsOf,
  listenAddresses,
  poolerPreflight,
  readUsers,
  routesOf,
} from '../lib/pgbouncer/target.ts'
import { clientHost, logInThrough } from '../lib/pgbouncer/through.ts'
import { findPrimary } from '../lib/postgres/cluster.ts'
import { TaskError } from '../lib/task/errors.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  cluster: z.string().meta({ description: 'the cluster, as the inventory calls it', placeholder: 'NAME' }),
})

export const task = defineTask({
  name: 'pg-pooler',
  summary: 'Set up pgbouncer, and bring it to what the inventory says',
  details:
    'Adds one line to each section of pgbouncer.ini and keeps the rest of it, and other users of userlist.txt. ' +
    'Reloads pgbouncer without dropping a client; when it does not take its files, the old ones are put back. ' +
    'Safe to run again.',
  examples: [
    'npx tsx tasks/pg-pooler.ts --cluster main --dry-run',
    'npx tsx tasks/pg-pooler.ts --cluster main',
  ],
  flags,
  preflight: ({ estate, flags: { cluster } }) => poolerPreflight(estate, cluster),
  async run(session) {
    const { estate, dryRun } = session
    const { cluster } = session.flags
    const pooler = await poolerOf(session, cluster)
    if (!pooler) throw new TaskError(`${cluster} has no pooler`)
    const { server, silent } = await session.step(`Find the primary of ${cluster}`, async (step) => {
      const found = await findPrimary(session, cluster)
      step.title = `Primary of ${cluster} is ${found.server.name}`
      return found
    })
    for (const one of silent) session.warn(`no answer: ${one}`)
    await session.lock(`pooler/${cluster}`, (holder) => pooler.files.lock(`pooler/${cluster}`, holder))

    const routes = routesOf(estate, cluster, pooler.hostName, server.name)
    const users = await session.step(`Read databases and roles of ${server.name}`, async () => {
      await checkDatabases(server, routes)
      return readUsers(estate, cluster, server)
    })
    for (const { password } of users) session.run.onSecret(password)
    const version = await session.step(`Look for ${pooler.name}`, async (step) => {
      const found = await installed(pooler, dryRun)
      step.title = found === undefined ? `Install ${pooler.name}` : `${pooler.name} is version ${found}`
      await checkPort(pooler)
      return found
    })
    const wasRunning = await pooler.isRunning()
    const before = await readFiles(pooler)
    const addresses = listenAddresses(estate, cluster, pooler.entry)
    const wanted = configure(pooler, before, { version, routes, users, addresses })
    try {
      await session.step(`Write the files of ${pooler.name}`, () => writeFiles(pooler, before, wanted))
      await session.step(`Bring ${pooler.name} to them`, async (step) => {
        step.detail = await bringUp(pooler, wanted, { changed: !isSame(before, wanted), dryRun })
      })
    } catch (error) {
      await session.recover(error, {
        title: `Put the old files of ${pooler.name} back`,
        next: session.command('pg-pooler', ['--cluster', cluster]),
        work: async () => {
          await putFilesBack(pooler, before, wasRunning)
          return `the old files of ${pooler.name} are back`
        },
      })
    }
    for (const client of clientsOf(estate, cluster)) {
      const from = clientHost(pooler, client)
      await session.prove(`Log in as ${client.role} through ${pooler.name} from ${from}`, async (step) => {
        const login = await logInThrough(session, pooler, cluster, client)
        step.detail = `${client.database}: ${login.tables} tables`
      })
    }
    if (!dryRun) session.note(await describePools(pooler))
  },
})

/** @returns its version; undefined when a dry run has left the installation out */
async function installed(pooler: Pooler, dryRun: boolean): Promise<string | undefined> {
  const there = await pooler.version()
  if (there !== undefined) return there
  await pooler.install()
  const version = await pooler.version()
  if (version !== undefined || dryRun) return version
  throw new TaskError(`${pooler.name} is not there, though its package is installed`, {
    next: `dpkg -V pgbouncer   # on ${pooler.hostName}`,
  })
}

/** Here, because pgbouncer itself would say so only after it has dropped its clients. */
async function checkPort(pooler: Pooler): Promise<void> {
  const other = await pooler.portTakenBy()
  if (other === undefined) return
  throw new TaskError(`port ${pooler.entry.port} of ${pooler.hostName} is taken by ${other}`, {
    next: 'stop it, or give the pooler another port in the inventory; nothing was changed',
  })
}

await runIfMain(import.meta, task)

import { expect } from 'vitest'

import { type Outcome, runTask } from './faults/task-run.ts'
import type { Lab } from './lab.ts'
import { query, resetPooler } from './pooler.ts'
import { provisionPostgres } from './postgres.ts'
import type { ServerHost } from './replication.ts'
import { health, placeWeltenwind, untilWell } from './weltenwind.ts'

/** Primary, standby, and the app of seed 000 with its pooler, set up by the tasks; the app is well. */
export async function placeFollowers(lab: Lab): Promise<void> {
  await provisionPostgres(lab)
  await placeWeltenwind(lab)
  await resetPooler(lab)
  await runWell(lab, 'pg-replica', [])
  await runWell(lab, 'pg-reset', ['--database', 'weltenwind', '--yes', '--discard'])
  await runWell(lab, 'pg-pooler', ['--cluster', 'main'])
  await untilWell(lab)
}

async function runWell(lab: Lab, name: string, flags: string[]): Promise<Outcome> {
  const outcome = await runTask(lab, name, ['--inventory', lab.files.inventory, ...flags])
  expect(outcome.error).toBe('')
  return outcome
}

const addresses = { 'pg-primary': '10.10.10.11', 'pg-replica': '10.10.10.12' }

/** Which servers the app's env file names: by DATABASE_URL, DIRECT_URL and SHADOW_DATABASE_URL. */
export async function namedByApp(lab: Lab): Promise<string[]> {
  const { stdout } = await lab.sh('vm-app', `grep -o '@[^/]*' /src/.env`)
  return stdout.split('\n')
}

/** The app is well through its pooler, which leads to the primary, and its file names that one. */
export async function expectFollowed(lab: Lab, to: ServerHost): Promise<void> {
  await expect.poll(() => health(lab), { timeout: 30_000 }).toBe('200')
  const through = await query(lab, 'select host(inet_server_addr()), pg_is_in_recovery();')
  expect(through).toBe(`${addresses[to]}|f`)
  const direct = `@${addresses[to]}:5432`
  expect(await namedByApp(lab)).toEqual(['@pgbouncer:6432', direct, direct])
}

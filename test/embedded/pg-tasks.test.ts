import { afterAll, beforeAll, expect, test } from 'vitest'

import { type DemoEstate, startEstate } from '../../examples/demo/estate.ts'
import { readRows } from './databases.ts'
import { expectDone, expectNoSecrets, makePlace, type Place } from './place.ts'
import { runTask, type TaskRun } from './task.ts'

let estate: DemoEstate
let here: Place

beforeAll(async () => {
  estate = await startEstate()
  here = await makePlace(estate, 'managed')
})
afterAll(async () => {
  await expectNoSecrets(estate)
  await estate.close()
})

const run = (task: string, ...args: string[]): Promise<TaskRun> =>
  runTask(task, estate.env, [...here.args, ...args])

function status(env = estate.env): Promise<TaskRun> {
  return runTask('pg-status', env, ['--inventory', here.inventory])
}

function dataOf({ events }: TaskRun): unknown {
  return events.find(({ event }) => event === 'data')?.data
}

test('a managed cluster with an old schema: pg-status, pg-drift and pg-migrate say what is wrong with it', async () => {
  const seen = await status()
  expectDone(seen)
  expect(dataOf(seen)).toMatchObject({
    cluster: 'main',
    servers: [{ name: 'main', role: 'primary', version: expect.stringMatching(/^18/) }],
    databases: [
      {
        name: 'managed',
        applied: 1,
        failed: [{ name: '20240304180000_worlds' }],
        kept: [{ name: 'managed__before_reset_20250101T000000Z' }],
      },
    ],
  })

  const before = await readRows(estate.cluster, 'managed')
  const drift = await run('pg-drift', '--yes')
  expect(drift.code).toBe(1)
  expect(dataOf(drift)).toMatchObject({
    stuck: null,
    differences: expect.arrayContaining([
      {
        change: 'missing',
        kind: 'column',
        name: 'public.worlds.assets',
        expected: "jsonb not null default '{}'::jsonb",
      },
      { change: 'surplus', kind: 'column', name: 'public.worlds.parent_theme', found: 'text' },
      expect.objectContaining({ change: 'missing', kind: 'enum', name: 'public.role' }),
    ]),
  })
  expect(await readRows(estate.cluster, 'managed')).toEqual(before)
  expect(await readRows(estate.cluster, 'managed_shadow')).toEqual({})

  const migrate = await run('pg-migrate')
  expect(migrate.code).toBe(1)
  expect(migrate.error?.message).toContain('(P3009): 20240304180000_worlds')
  expect(migrate.error?.next).toContain('--rolled-back 20240304180000_worlds')
})

test('after a reset: no drift, nothing to migrate, and a seed that may run again', async () => {
  expectDone(await here.run(['--yes', '--skip-seed']))
  expectDone(await run('pg-drift', '--yes'))
  const migrate = await run('pg-migrate')
  expectDone(migrate)
  expect(migrate.events.at(-1)).toMatchObject({ event: 'end', changed: 0 })
  const seed = await run('pg-seed')
  expectDone(seed)
  expect(dataOf(seed)).toMatchObject({
    before: { 'public.worlds': 0 },
    after: { 'public.worlds': 3, 'public.page_permissions': 12 },
  })
})

test('a managed cluster that does not answer: exit code 3, and why', async () => {
  const url = new URL(estate.cluster.url)
  url.port = '1'
  const seen = await status({ ...estate.env, PG_URL: url.href })
  expect(seen.code).toBe(3)
  expect(seen.error?.message).toMatch(/nobody of main answered: .*127\.0\.0\.1:1/)
})

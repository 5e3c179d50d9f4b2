import { afterAll, beforeAll, expect, test, vi } from 'vitest'

import { Stage } from './faults/stage.ts'
import type { Outcome } from './faults/task-run.ts'
import { serverState } from './faults/untouched.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'

const lab = openLab()
let stage: Stage

beforeAll(async () => {
  await provisionPostgres(lab)
  stage = await Stage.open(lab)
  await stage.reset()
  await lab.sh('pg-primary', 'rm -rf /run/lock/hausmeister')
})
afterAll(async () => {
  await stage.reset()
  await stage.close()
})

/** The server, its locks, the app's files with their times. */
async function everything(): Promise<string[]> {
  const files = 'find /srv/light /run/lock/hausmeister -printf "%p %s %T@\\n" 2> /dev/null | sort'
  return Promise.all([
    serverState(lab),
    ...['pg-primary', 'vm-app'].map(async (host) => (await lab.sh(host, files)).stdout),
  ])
}

/** What was done, or would be, in order; the names of copies hold the second in which they were made. */
function changes({ events }: Outcome, state: string): string[] {
  return events
    .filter((line) => line.event === 'change' && line.state === state)
    .map(({ host, user, command, input }) =>
      [`${host} (${user}): ${command}`, input ?? ''].join('\n').trimEnd(),
    )
    .map((text) => text.replaceAll(/\d{8}T\d{6}Z/g, 'TIME'))
}

async function clients(): Promise<number> {
  const { stdout } = await lab.sh(
    'pg-primary',
    `cd /; runuser -u postgres -- psql -X -At -c "select count(*) from pg_stat_activity where datname = 'weltenwind' and usename = 'ww_app'"`,
  )
  return Number(stdout)
}

/** Runs it dry, then really, and compares. Returns what it changed. */
async function dryThenReal(flags: string[], between = async () => {}): Promise<string[]> {
  const before = await everything()
  const dry = await stage.pgReset(['--dry-run', ...flags])
  expect(dry).toMatchObject({ code: 0, error: '', stderr: '' })
  expect(await everything()).toEqual(before)
  expect(changes(dry, 'done')).toEqual([])
  await between()

  const real = await stage.pgReset(['--yes', ...flags])
  expect(real).toMatchObject({ code: 0, error: '' })
  expect(changes(dry, 'would')).toEqual(changes(real, 'done'))
  return changes(real, 'done')
}

test('a reset, with somebody connected: told to the last statement, and not done', async () => {
  const session = lab.sh('vm-app', '. /srv/light/env; exec psql -X -c "select pg_sleep(300)"', {
    nothrow: true,
  })
  await vi.waitUntil(async () => (await clients()) === 1, { timeout: 20_000, interval: 100 })
  const done = await dryThenReal([], async () => expect(await clients()).toBe(1))
  expect((await session).stderr).toMatch(/terminating connection/)
  expect(done.map((change) => change.split('\n')[0])).toEqual([
    'pg-primary (postgres): psql postgres',
    'pg-primary (postgres): psql postgres',
    'pg-primary (postgres): psql postgres',
    'pg-primary (postgres): psql postgres',
    'pg-primary (postgres): psql postgres',
    'vm-app (ops): ./migrate   # vm-app, /srv/light',
    'vm-app (ops): ./seed   # vm-app, /srv/light',
    'pg-primary (postgres): psql postgres',
  ])
  expect(done.join('\n')).toMatch(/pg_terminate_backend[^]*rename to "weltenwind__before_reset_TIME"/)
})

test('--discard --skip-seed', async () => {
  const done = await dryThenReal(['--discard', '--skip-seed'])
  expect(done.at(-1)).toMatch(/drop database "weltenwind__before_reset_TIME"/)
  expect(done.join('\n')).not.toMatch(/seed/)
})

test('--discard-kept', async () => {
  expect((await stage.pgReset(['--yes'])).error).toBe('')
  const done = await dryThenReal(['--discard-kept'])
  expect(done).toEqual([expect.stringMatching(/drop database "weltenwind__before_reset_TIME";$/)])
})

test('--undo', async () => {
  const done = await dryThenReal(['--undo'])
  expect(done.join('\n')).toMatch(/alter database "weltenwind__before_reset_TIME" rename to "weltenwind"/)
})

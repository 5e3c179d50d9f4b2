import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { notes, type Outcome, runTask, type TaskLine, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'
import { changed, psql, type ServerHost, servers, unit, whoTakesWrites } from './replication.ts'
import { Writer } from './writer.ts'

const lab = openLab()

/** How often the roles are changed under the writer. */
const rounds = Number(process.env['SWITCHOVERS'] ?? 4)

function run(name: string, flags: string[], on?: Watch): Promise<Outcome> {
  return runTask(lab, name, ['--inventory', lab.files.inventory, ...flags], { on })
}
const switchTo = (host: ServerHost, on?: Watch) => run('pg-switchover', ['--to', host, '--yes'], on)

function begins(title: string, { event, state, title: is }: TaskLine): boolean {
  return event === 'step' && state === 'started' && is?.startsWith(title) === true
}

/** Whoever is the primary now, and the other one. */
async function roles(): Promise<{ leader: ServerHost; other: ServerHost }> {
  const [leader] = await whoTakesWrites(lab)
  if (!leader) throw new Error('nobody takes writes')
  const other = servers.find((host) => host !== leader)
  if (!other) throw new Error('a cluster of two')
  return { leader, other }
}

/** The switchover is done, whatever happened before; and once more, there is nothing to do. */
async function expectSwitched(to: ServerHost): Promise<void> {
  const again = await switchTo(to)
  expect(again.error).toBe('')
  expect(changed(again.events)).toBe(0)
  expect(await whoTakesWrites(lab)).toEqual([to])
  const from = servers.find((host) => host !== to) ?? to
  expect(await psql(lab, from, 'select status from pg_stat_wal_receiver')).toBe('streaming')
  expect(await psql(lab, from, 'select count(*) from pg_replication_slots')).toBe('0')
}

beforeAll(async () => {
  await provisionPostgres(lab)
  const standby = await run('pg-replica', [])
  expect(standby.error).toBe('')
})
afterAll(async () => {
  const { leader } = await roles()
  await psql(lab, leader, 'drop table if exists lab_fence')
  await psql(lab, leader, 'drop table if exists lab_writer', 'weltenwind')
  await provisionPostgres(lab)
})

test(
  `${rounds} switchovers under a writer lose no committed row`,
  async () => {
    const writer = await Writer.start(lab, 'pg-primary')
    const gaps: string[] = []
    try {
      for (let round = 0; round < rounds; round += 1) {
        const { other } = await roles()
        const outcome = await switchTo(other)
        expect(outcome.error).toBe('')
        expect(await whoTakesWrites(lab)).toEqual([other])
        expect(notes(outcome)).toMatch(/connected, and will be cut off: 1 × writer from 10\.10\.10\.14/)
        gaps.push(
          ...outcome.events.flatMap(
            ({ detail }) => /nobody could write for (.*) at most/.exec(detail ?? '')?.[1] ?? [],
          ),
        )
        await writer.more(100)
      }
    } finally {
      await writer.stop()
    }
    const { leader } = await roles()
    const written = await writer.compare(leader)
    console.log(`${rounds} switchovers: ${JSON.stringify(written)}, as printed: ${gaps.join(', ')}`)
    expect(gaps).toHaveLength(rounds)
    expect(written.lost).toBe(0)
    expect(written.commits).toBeGreaterThan(rounds * 100)
    await expectSwitched(leader)
  },
  rounds * 30_000,
)

/** The others give the same pictures; EVERY_STEP=1 tries them too. */
const every = process.env['EVERY_STEP'] === '1'
const steps = every
  ? ['Prepare', 'Stop', 'Prove that', 'Promote', 'Write', 'Let', 'Drop']
  : ['Stop', 'Prove that', 'Promote']

describe('the controller is killed with -9', () => {
  test.each(steps)('at the step "%s"', async (step) => {
    const { other } = await roles()
    const outcome = await switchTo(other, (line, kill) => {
      if (begins(step, line)) kill('SIGKILL')
    })
    expect(outcome.code).not.toBe(0)
    expect((await whoTakesWrites(lab)).length).toBeLessThan(2)
    const next = await switchTo(other)
    expect(next.error).toBe('')
    await expectSwitched(other)
  })
})

describe('the plug is pulled', () => {
  beforeEach(async () => {
    const { leader, other } = await roles()
    // So that each row below means the same machine.
    if (leader !== 'pg-primary') expect((await switchTo(other)).error).toBe('')
  })

  const all = [
    ['pg-primary', 'Stop'],
    ['pg-primary', 'Promote'],
    ['pg-replica', 'Promote'],
    ['pg-replica', 'Stop'],
    ['pg-primary', 'Let'],
    ['pg-replica', 'Let'],
  ] as const
  test.each(every ? all : all.slice(0, 3))(
    'of %s at the step "%s"',
    async (host, step) => {
      let pulling: Promise<unknown> | undefined
      const outcome = await switchTo('pg-replica', (line) => {
        if (!begins(step, line) || pulling) return
        pulling = (async () => {
          await lab.poweroff(host)
          expect((await whoTakesWrites(lab)).length).toBeLessThan(2)
          await lab.poweron(host)
        })()
      })
      await pulling
      expect(pulling).toBeDefined()
      expect((await whoTakesWrites(lab)).length).toBeLessThan(2)
      // The server of a machine that boots may not be up yet.
      await lab.sh(host, `systemctl start ${unit}`)
      expect((await whoTakesWrites(lab)).length).toBeLessThan(2)
      if (outcome.code !== 0) {
        // A standby may believe in the connection that was cut for a minute.
        await expect
          .poll(async () => (await switchTo('pg-replica')).error, { timeout: 120_000, interval: 2000 })
          .toBe('')
      }
      await expectSwitched('pg-replica')
    },
    240_000,
  )
})

test('a standby that lags, or does not stream, is not promoted; two runs at once: one works', async () => {
  const { leader, other } = await roles()
  await psql(lab, other, 'select pg_wal_replay_pause()')
  await psql(
    lab,
    leader,
    'create table lab_lag as select repeat(md5(i::text), 8) from generate_series(1, 80000) i',
  )
  expect((await switchTo(other)).error).toMatch(/is [\d.]+ MB \(\d+ bytes\) behind/)
  await psql(lab, other, 'select pg_wal_replay_resume()')
  await psql(lab, leader, 'drop table lab_lag')

  await lab.sh(other, `systemctl stop ${unit}`)
  expect((await switchTo(other)).error).toMatch(/is stopped .* no standby of [^]*tasks\/pg-replica\.ts/)
  await lab.sh(other, `systemctl start ${unit}`)
  await expect
    .poll(() => psql(lab, other, 'select status from pg_stat_wal_receiver'), { timeout: 30_000 })
    .toBe('streaming')

  let second: Promise<Outcome> | undefined
  const first = await switchTo(other, (line) => {
    if (begins('Prepare', line)) second = switchTo(other)
  })
  expect(first.error).toBe('')
  expect(await second).toMatchObject({ code: 75 })
  await expectSwitched(other)
})

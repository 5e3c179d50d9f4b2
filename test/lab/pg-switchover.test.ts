import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { notes, type Outcome, runTask, type TaskLine, type Watch } from './faults/task-run.ts'
import { expectFollowed, namedByApp, placeFollowers } from './followers.ts'
import { openLab } from './lab.ts'
import { query, resetPooler } from './pooler.ts'
import { provisionPostgres } from './postgres.ts'
import { changed, psql, type ServerHost, servers, unit, whoTakesWrites } from './replication.ts'
import { health, untilWell } from './weltenwind.ts'
import { Writer } from './writer.ts'

const lab = openLab()

/** How often the roles are changed under the writer. */
const rounds = Number(process.env['SWITCHOVERS'] ?? 2)

function run(name: string, flags: string[], on?: Watch): Promise<Outcome> {
  return runTask(lab, name, ['--inventory', lab.files.inventory, ...flags], { on })
}
const switchTo = (host: ServerHost, on?: Watch) => run('pg-switchover', ['--to', host, '--yes'], on)

/** Which container a service of the app has, and since when it runs. */
async function containerOf(service: string): Promise<string> {
  const format = '{{.Id}} {{.State.StartedAt}}'
  const { stdout } = await lab.sh('vm-app', `docker inspect -f '${format}' weltenwind-${service}`)
  return stdout
}

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
  await expectFollowed(lab, to)
}

beforeAll(() => placeFollowers(lab))
afterAll(async () => {
  const { leader } = await roles()
  await psql(lab, leader, 'drop table if exists lab_fence')
  await Writer.clear(lab, leader)
  await provisionPostgres(lab)
  await resetPooler(lab)
})

test(
  `${rounds} switchovers under writers lose no committed row, and who comes through the pooler sees no error`,
  async () => {
    const writer = await Writer.start(lab, 'pg-primary')
    const pooled = await Writer.start(lab, 'pg-primary', { way: 'pooled' })
    const gaps: string[] = []
    const app = await containerOf('app')
    try {
      for (let round = 0; round < rounds; round += 1) {
        const { other } = await roles()
        const outcome = await switchTo(other)
        expect(outcome.error).toBe('')
        expect(await whoTakesWrites(lab)).toEqual([other])
        expect(notes(outcome)).toMatch(
          /connected, and will be cut off unless .*: .*writer from 10\.10\.10\.14/,
        )
        gaps.push(
          ...outcome.events.flatMap(
            ({ detail }) => /nobody could write for (.*) at most/.exec(detail ?? '')?.[1] ?? [],
          ),
        )
        await Promise.all([writer.more(100), pooled.more(100)])
      }
    } finally {
      await Promise.all([writer.stop(), pooled.stop()])
    }
    const { leader } = await roles()
    for (const [way, one] of Object.entries({ direct: writer, pooled })) {
      const { errors, ...written } = await one.compare(leader)
      console.log(`${rounds} switchovers, ${way}: ${JSON.stringify(written)}, ${errors.length} errors`)
      expect(written.lost).toBe(0)
      expect(written.commits).toBeGreaterThan(rounds * 100)
      if (way === 'pooled') expect(errors).toEqual([])
    }
    console.log(`as printed: ${gaps.join(', ')}`)
    expect(gaps).toHaveLength(rounds)
    // It runs by its pooler, so only its file was changed.
    expect(await containerOf('app')).toBe(app)
    await expectSwitched(leader)
  },
  rounds * 120_000,
)

/** The others give the same pictures; EVERY_STEP=1 tries them too. */
const every = process.env['EVERY_STEP'] === '1'
const allSteps = [
  'Prepare',
  'Pause',
  'Stop',
  'Prove that',
  'Point',
  'Promote',
  'Resume',
  'Write',
  'Let pgbouncer',
  'Let weltenwind',
  'Let pg-',
  'Drop',
]
const steps = every ? allSteps : ['Stop', 'Promote']

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

/** So that each row of a table means the same machine. */
async function leadByPrimary(): Promise<void> {
  const { leader, other } = await roles()
  if (leader !== 'pg-primary') expect((await switchTo(other)).error).toBe('')
}

describe('the controller is killed while the pooler is paused: its clients go on by themselves', () => {
  const all = [
    ['Resume', 'pg-replica'],
    ['Stop', 'pg-primary'],
  ] as const
  test.each(every ? all : all.slice(0, 1))('at the step "%s", to %s', async (step, host) => {
    await leadByPrimary()
    const pooled = await Writer.start(lab, 'pg-primary', { way: 'pooled' })
    try {
      await switchTo('pg-replica', (line, kill) => {
        if (begins(step, line)) kill('SIGKILL')
      })
      // Killed before the server has stopped, or right after: then the next run has to let somebody take writes.
      const leaders = await whoTakesWrites(lab)
      expect(leaders.length).toBeLessThan(2)
      if (leaders.length === 0) expect((await switchTo('pg-replica')).error).toBe('')
      else expect(leaders).toEqual([host])
      await pooled.more(50)
    } finally {
      await pooled.stop()
    }
    expect((await pooled.compare((await roles()).leader)).lost).toBe(0)
    expect((await switchTo('pg-replica')).error).toBe('')
    await expectSwitched('pg-replica')
  })
})

describe('cables are cut', () => {
  beforeEach(leadByPrimary)

  const all = [
    ...['Pause', 'Stop', 'Prove that', 'Point', 'Promote', 'Let pgbouncer', 'Let pg-'].flatMap((step) =>
      ['pg-primary', 'pg-replica', 'vm-app'].map((host) => ({ hosts: [host], step })),
    ),
    ...['Stop', 'Point'].map((step) => ({ hosts: ['pg-primary', 'vm-app'], step })),
  ]
  const few = [{ hosts: ['vm-app'], step: 'Stop' }]
  test.each(every ? all : few)(
    'of $hosts at the step $step',
    async ({ hosts, step }) => {
      const pooled = await Writer.start(lab, 'pg-primary', { way: 'pooled' })
      const each = (work: (host: string) => Promise<void>) => Promise.all(hosts.map((host) => work(host)))
      let cutting: Promise<unknown> | undefined
      let mending: Promise<unknown> | undefined
      const mend = (): void => {
        mending ??= cutting?.then(() => each((host) => lab.mend(host)))
      }
      const outcome = await switchTo('pg-replica', (line) => {
        if (begins(step, line)) cutting ??= each((host) => lab.cut(host))
        // It has noticed, and may now wait for the machine to come back.
        if (line.event === 'step' && line.state === 'failed') mend()
      })
      mend()
      await mending
      expect(cutting).toBeDefined()
      const leaders = await whoTakesWrites(lab)
      expect(leaders.length).toBeLessThan(2)
      if (outcome.code === 0) expect(leaders).toEqual(['pg-replica'])
      else {
        await expect
          .poll(async () => (await switchTo('pg-replica')).error, { timeout: 150_000, interval: 2000 })
          .toBe('')
      }
      await pooled.more(50)
      await pooled.stop()
      const { lost, longestGap, errors } = await pooled.compare('pg-replica')
      const said = outcome.error.split('\n').slice(0, 2).join(' / ')
      const gap = `${(longestGap / 1000).toFixed(1)} s, ${errors.length} errors`
      console.log(
        `${hosts.join('+')} at ${step}: code ${outcome.code}, ${gap}, took ${outcome.ms / 1000} s: ${said}`,
      )
      expect(lost).toBe(0)
      await expectSwitched('pg-replica')
    },
    360_000,
  )
})

describe('the plug is pulled', () => {
  beforeEach(leadByPrimary)

  const all = [
    ['pg-primary', 'Stop'],
    ['pg-replica', 'Promote'],
    ['pg-primary', 'Promote'],
    ['pg-replica', 'Stop'],
    ['pg-primary', 'Let'],
    ['pg-replica', 'Let'],
  ] as const
  test.each(every ? all : all.slice(0, 2))(
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

test('an app that runs by the address of the primary is restarted; a pooler that is down is pointed all the same', async () => {
  await leadByPrimary()
  await restartAppWith('pgbouncer:6432', '10.10.10.11:5432')
  await lab.sh('vm-app', 'docker stop -t 2 weltenwind-pgbouncer; echo "# by hand" >> /src/.env')
  await untilWell(lab)
  const before = await containerOf('app')
  const outcome = await switchTo('pg-replica')
  expect(outcome.error).toBe('')
  expect(notes(outcome)).toMatch(/app weltenwind: DATABASE_URL .* will name pg-replica; it is restarted/)
  expect(notes(outcome)).toMatch(/pgbouncer on vm-app .* is not running/)
  expect(await health(lab)).toBe('200')
  expect(await containerOf('app')).not.toBe(before)
  expect(new Set(await namedByApp(lab))).toEqual(new Set(['@10.10.10.12:5432']))
  const { stdout } = await lab.sh(
    'vm-app',
    'stat -c %a:%u /src/.env; tail -n 1 /src/.env; ls /srv/weltenwind/src/.env*',
  )
  expect(stdout).toBe('600:1000\n# by hand\n/srv/weltenwind/src/.env')
  expect(changed((await switchTo('pg-replica')).events)).toBe(0)
  await lab.sh('vm-app', "docker start weltenwind-pgbouncer; sed -i '/^# by hand/d' /src/.env")
  await restartAppWith('10.10.10.12:5432/weltenwind$', 'pgbouncer:6432/weltenwind')
  await expectSwitched('pg-replica')
})

/** Other text in its DATABASE_URL. */
async function restartAppWith(old: string, text: string): Promise<void> {
  await lab.sh(
    'vm-app',
    `sed -i '/^DATABASE_URL=/s#${old}#${text}#' /src/.env
    docker compose -f /srv/weltenwind/docker-compose.yml up -d --no-deps --force-recreate --quiet-pull app`,
  )
}

test("the pooler's machine does not answer: refused, and nothing is changed", async () => {
  const { leader, other } = await roles()
  await lab.cut('vm-app')
  const outcome = await switchTo(other)
  await lab.mend('vm-app')
  expect([outcome.code, changed(outcome.events)]).toEqual([3, 0])
  expect(outcome.error).toMatch(/the pooler's machine must answer/)
  expect(await whoTakesWrites(lab)).toEqual([leader])
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

  // A transaction that never ends holds nobody up for longer than a second.
  const endless = query(
    lab,
    `begin; select 'open';
\\! touch /run/lab-open; for try in $(seq 600); do if [ -e /run/lab-go ]; then break; fi; sleep 0.1; done
select 'went on';`,
  )
  await lab.sh('vm-app', 'until [ -e /run/lab-open ]; do sleep 0.05; done')
  let second: Promise<Outcome> | undefined
  const first = await switchTo(other, (line) => {
    if (begins('Prepare', line)) second = switchTo(other)
  })
  await lab.sh('vm-app', 'touch /run/lab-go')
  expect(first.error).toBe('')
  expect(await second).toMatchObject({ code: 75 })
  expect(await endless).not.toContain('went on')
  await lab.sh('vm-app', 'rm /run/lab-open /run/lab-go')
  const paused = first.events.find(({ title, state }) => title?.startsWith('Pause') && state === 'done')
  expect(paused?.detail).toMatch(/1 of them did not end a transaction in 1 s/)
  await expectSwitched(other)
})

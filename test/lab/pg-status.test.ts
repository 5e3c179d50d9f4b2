import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import * as z from 'zod'

import { Stage } from './faults/stage.ts'
import { notes, type Outcome, runTask } from './faults/task-run.ts'
import { serverState } from './faults/untouched.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'

const lab = openLab()
let stage: Stage

const block = 'nft delete table inet cut 2> /dev/null || true'

beforeAll(async () => {
  await makeWhole()
  stage = await Stage.open(lab)
  await stage.reset()
})
afterEach(async () => {
  await lab.sh('pg-replica', block)
  await makeWhole()
})
afterAll(async () => {
  await stage.reset()
  await stage.close()
})

function streams(): Promise<string> {
  return sql("select count(*) from pg_stat_replication where state = 'streaming'")
}

/** A standby whose primary lost its power believes for a minute that it is still connected to it. */
async function makeWhole(): Promise<void> {
  await provisionPostgres(lab)
  if ((await streams()) === '0') await lab.sh('pg-replica', 'systemctl restart postgresql@17-main')
  await vi.waitUntil(async () => (await streams()) === '1', { timeout: 90_000, interval: 200 })
}

const Status = z.object({
  servers: z.array(
    z.object({
      name: z.string(),
      role: z.string(),
      position: z.number(),
      standbys: z.array(z.object({ state: z.string(), bytesBehind: z.number() })),
      receiver: z.object({ state: z.string() }).nullable(),
      transactions: z.array(z.object({ application: z.string(), state: z.string() })),
      databases: z.array(z.object({ name: z.string(), bytes: z.number() })),
    }),
  ),
  silent: z.array(z.object({ name: z.string(), reason: z.string() })),
  databases: z.array(z.object({ name: z.string(), mark: z.string().nullable(), pending: z.unknown() })),
  warnings: z.array(z.string()),
})
type Status = z.infer<typeof Status>

function run(): Promise<Outcome> {
  return runTask(lab, 'pg-status', ['--inventory', stage.inventory])
}

function statusIn({ events }: Outcome): Status {
  return Status.parse(events.find(({ event }) => event === 'data')?.data)
}

async function sql(text: string, host = 'pg-primary', database = 'postgres'): Promise<string> {
  const psql = `cd /; runuser -u postgres -- psql -X -q -At -v ON_ERROR_STOP=1 -d ${database}`
  return (await lab.sh(host, psql, { input: text })).stdout.trim()
}

/** Takes the standby's roles apart, whatever order the servers come in. */
function byName({ servers }: Status, name: string) {
  const found = servers.find((server) => server.name === name)
  if (!found) throw new Error(`there is no ${name}`)
  return found
}

test('primary and standby: what they are, and nothing is changed or locked', async () => {
  await lab.sh('pg-primary', 'rm -rf /run/lock/hausmeister')
  const before = await serverState(lab)
  const outcome = await run()
  expect(outcome).toMatchObject({ code: 0, error: '' })
  const status = statusIn(outcome)
  expect(byName(status, 'pg-primary')).toMatchObject({
    role: 'primary',
    standbys: [{ state: 'streaming' }],
    receiver: null,
  })
  expect(byName(status, 'pg-replica')).toMatchObject({
    role: 'standby',
    receiver: { state: 'streaming' },
  })
  expect(status.warnings).toEqual([])
  expect(outcome.events.at(-1)).toMatchObject({ event: 'end', changed: 0, unchanged: 0 })
  expect(await serverState(lab)).toBe(before)
  expect((await lab.sh('pg-primary', 'ls /run/lock')).stdout).not.toContain('hausmeister')
})

test('the cable between them is cut: the distance is that between the two, not what either believes', async () => {
  await lab.sh(
    'pg-replica',
    `nft -f - <<< 'table inet cut {
      chain in { type filter hook input priority 0; ip saddr 10.10.10.11 tcp sport 5432 drop; }
    }'`,
  )
  await sql('create table ballast as select repeat(md5(i::text), 30) from generate_series(1, 5000) i')
  const outcome = await run()
  expect(outcome.code).toBe(0)
  const status = statusIn(outcome)
  const distance = byName(status, 'pg-primary').position - byName(status, 'pg-replica').position
  expect(distance).toBeGreaterThan(1_000_000)
  expect(byName(status, 'pg-primary').standbys[0]?.bytesBehind ?? distance).toBeGreaterThan(1_000_000)
  await sql('drop table ballast')
})

test('the primary is stopped: it is named; then the standby loses its power: exit code 3, with what is known of each', async () => {
  await lab.sh('pg-primary', 'systemctl stop postgresql@17-main')
  const outcome = await run()
  expect(outcome.code).toBe(0)
  const status = statusIn(outcome)
  expect(status.silent).toMatchObject([{ name: 'pg-primary' }])
  expect(byName(status, 'pg-replica')).toMatchObject({ role: 'standby', receiver: null })
  expect(status.warnings.join('\n')).toMatch(/standby pg-replica receives from nobody/)
  expect(status.databases).toMatchObject([{ name: 'weltenwind' }])

  await lab.poweroff('pg-replica')
  const dark = await run()
  await lab.poweron('pg-replica')
  expect(dark.code).toBe(3)
  expect(dark.error).toMatch(/nobody of main answered: [^]*socket[^]*; pg-replica: .*10\.10\.10\.12/)
  expect(dark.ms).toBeLessThan(60_000)
})

test('two primaries are an error that names both', async () => {
  await sql('select pg_promote()', 'pg-replica')
  const outcome = await run()
  expect(outcome).toMatchObject({
    code: 1,
    error: expect.stringMatching(/two primaries in main: pg-primary and pg-replica/),
  })
  expect(statusIn(outcome).servers).toHaveLength(2)
})

test('a wrong mark, a reset that was cut off, a failed migration, a forgotten transaction', async () => {
  await sql(`comment on database weltenwind is '[hausmeister environment=production reset=closing]';`)
  await sql(
    `set role ww_app;
    create table _prisma_migrations (id varchar(36) primary key, checksum varchar(64), finished_at timestamptz,
      migration_name varchar(255), logs text, rolled_back_at timestamptz, started_at timestamptz default now(),
      applied_steps_count int default 0);
    insert into _prisma_migrations (id, migration_name, logs) values ('1', '20250101000000_size', 'no column size')`,
    'pg-primary',
    'weltenwind',
  )
  const session = lab.sh(
    'vm-app',
    `. /srv/light/env; (echo 'begin; select 1;'; sleep 300) | PGAPPNAME=forgotten psql -X`,
    { nothrow: true },
  )
  await expect
    .poll(() => sql("select state from pg_stat_activity where application_name = 'forgotten'"))
    .toBe('idle in transaction')
  const outcome = await run()
  await lab.sh('vm-app', 'pkill -x -f "sleep 300"')
  await session
  expect(outcome.code).toBe(0)
  expect(notes(outcome)).toMatch(/inventory says that weltenwind is development, .* it is production/)
  expect(notes(outcome)).toMatch(
    /a reset of weltenwind did not finish: .*npx tsx tasks\/pg-reset\.ts --database main\/weltenwind --undo/,
  )
  expect(notes(outcome)).toMatch(/migration 20250101000000_size of weltenwind has failed: no column size/)
  expect(byName(statusIn(outcome), 'pg-primary').transactions).toMatchObject([
    { application: 'forgotten', state: 'idle in transaction' },
  ])
  await stage.reset()
})

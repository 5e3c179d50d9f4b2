import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { Stage, type TaskLine } from './faults/stage.ts'
import { notes, type Outcome, runTask, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'
import {
  addMigration,
  brokenMigration,
  makeEmpty,
  removeMigration,
  setSeed,
  slowMigration,
} from './weltenwind-faults.ts'
import { placeWeltenwind } from './weltenwind.ts'

const lab = openLab()
const env = '/srv/weltenwind/src/.env'
const fault = '20990101000000_fault'
let stage: Stage

beforeAll(async () => {
  await provisionPostgres(lab)
  await placeWeltenwind(lab)
  stage = await Stage.withPrisma(lab)
  await stage.dropAll()
}, 300_000)
beforeEach(async () => {
  await removeMigration(lab)
  await setSeed(lab, {})
  await sql('comment on database weltenwind is null')
})
afterAll(async () => {
  await removeMigration(lab)
  await setSeed(lab, {})
  await sql('comment on database weltenwind is null')
  await stage.close()
})

function run(task: 'pg-migrate' | 'pg-seed', flags: string[] = [], on?: Watch): Promise<Outcome> {
  return runTask(lab, task, ['--inventory', stage.inventory, '--database', 'weltenwind', ...flags], { on })
}

async function sql(text: string): Promise<string> {
  const psql = 'cd /; runuser -u postgres -- psql -X -q -At -v ON_ERROR_STOP=1 -d weltenwind'
  return (await lab.sh('pg-primary', psql, { input: text })).stdout.trim()
}

/** Names of the migrations that the database has applied. */
function applied(): Promise<string> {
  return sql(
    'select count(*) from _prisma_migrations where finished_at is not null and rolled_back_at is null',
  )
}

function begins(step: string, { event, state, title }: TaskLine): boolean {
  return event === 'step' && state === 'started' && title?.startsWith(step) === true
}

/** Until the server is in the middle of the slow migration. */
async function untilItSleeps(): Promise<void> {
  await expect
    .poll(
      () =>
        sql(
          "select count(*) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()",
        ),
      {
        timeout: 30_000,
      },
    )
    .toBe('1')
}

const endSleepers =
  "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"

/** All that a run said, to look for secrets in. */
function everything({ events, stderr }: Outcome): string {
  return JSON.stringify(events) + stderr
}

test('migrate and seed, with the app down: shown, only told in a dry run, done, and proven', async () => {
  await makeEmpty(lab)
  await lab.sh('vm-app', 'docker stop -t 0 weltenwind-app')
  const dry = await run('pg-migrate', ['--dry-run'])
  expect(dry).toMatchObject({ code: 0, error: '' })
  expect(notes(dry)).toMatch(/pending: 4[^]*20241118100000_world_assets/)
  expect(await sql("select count(*) from pg_class where relname = 'worlds'")).toBe('0')

  const real = await run('pg-migrate')
  expect(real).toMatchObject({ code: 0, error: '' })
  expect(real.events.at(-1)).toMatchObject({ event: 'end', changed: 1 })
  expect(real.events.map(({ title }) => title)).toContain(
    'The migrations go to 10.10.10.11:5432, by DIRECT_URL',
  )
  expect(await applied()).toBe('4')

  const again = await run('pg-migrate')
  expect(again.code).toBe(0)
  expect(again.events.at(-1)).toMatchObject({ event: 'end', changed: 0 })

  const seeded = await run('pg-seed')
  expect(seeded).toMatchObject({ code: 0, error: '' })
  expect(seeded.events.find(({ event }) => event === 'data')?.data).toMatchObject({
    before: { 'public.worlds': 0, 'public.players': 0 },
    after: { 'public.worlds': 3, 'public.players': 3, 'public.page_permissions': 12 },
  })
  await setSeed(lab, { fail: true })
  const failed = await run('pg-seed')
  expect(failed.code).toBe(1)
  expect(failed.error).toMatch(/nothing was taken back:\nas before: public\.page_permissions 12/)
  await lab.sh('vm-app', 'docker start weltenwind-app')
})

test('one that fails is explained; the next run refuses; the way out that was printed leads to Prisma, and through', async () => {
  await makeEmpty(lab)
  await addMigration(lab, brokenMigration)
  const first = await run('pg-migrate')
  expect(first.code).toBe(1)
  expect(first.error).toMatch(/world_assets; failed: 20990101000000_fault[^]*No such table: nowhere/)
  const second = await run('pg-migrate')
  expect(second.code).toBe(1)
  expect(second.error).toMatch(/P3009[^]*No such table: nowhere/)
  expect(second.events.some((line) => begins('Migrate', line))).toBe(false)

  const line = new RegExp(`on vm-app as ops: (cd .* --rolled-back ${fault})`).exec(second.error)?.[1] ?? ''
  // The engine that `resolve` wants cannot be had without a download: its way there, and by hand what it does.
  const reached = line.replace('npx prisma migrate resolve', 'ls prisma/migrations #')
  expect((await lab.sh('vm-app', 'runuser -u ops -- sh', { input: reached })).stdout).toContain(fault)
  await sql(`update _prisma_migrations set rolled_back_at = now() where migration_name = '${fault}'`)
  await addMigration(lab, 'CREATE TABLE "later" ("id" INTEGER);\n')
  expect(await run('pg-migrate')).toMatchObject({ code: 0, error: '' })
  expect(await applied()).toBe('5')
})

test('the session of a migration is ended in the middle: begun and not ended', async () => {
  await makeEmpty(lab)
  await addMigration(lab, slowMigration(60))
  const outcome = await run('pg-migrate', [], (line) => {
    if (begins('Migrate', line)) void untilItSleeps().then(() => sql(endSleepers))
  })
  expect(outcome.code).toBe(1)
  expect(outcome.error).toMatch(
    /applied: 20240304180000_worlds, .*20990101000000_fault[^]*--rolled-back 20990101000000_fault/,
  )
  expect(await sql("select to_regclass('slow') is null")).toBe('t')
})

test('a second run is told who is at it; Ctrl-C: what the server is still at is said, and the next run keeps away', async () => {
  await makeEmpty(lab)
  await addMigration(lab, slowMigration(300))
  let second: Promise<Outcome> | undefined
  const outcome = await run('pg-migrate', [], (line, kill) => {
    if (!begins('Migrate', line)) return
    second = untilItSleeps().then(() => run('pg-migrate'))
    void second.then(() => kill('SIGINT'))
  })
  expect(await second).toMatchObject({
    code: 75,
    error: expect.stringMatching(/pg\/weltenwind is locked by .*pg-migrate/),
  })
  expect(outcome.code).toBe(130)
  expect(outcome.error).toMatch(
    /begun and not ended: 20990101000000_fault; a migration is still at work from 10\.10\.10\.14 \(pid \d+/,
  )
  const next = await run('pg-migrate')
  expect(next.code).toBe(1)
  expect(next.error).toMatch(/a migration is still at work[^]*pg_terminate_backend/)
  await sql(endSleepers)
  expect(await stage.leftovers('vm-app')).toEqual([])
})

test('the cable of the app’s machine is cut in the middle: the loss is noticed, and the server asked how far it came', async () => {
  await makeEmpty(lab)
  await addMigration(lab, slowMigration(300))
  const outcome = await run('pg-migrate', [], (line) => {
    if (begins('Migrate', line)) void untilItSleeps().then(() => lab.cut('vm-app'))
  })
  await lab.mend('vm-app')
  expect(outcome.code).toBe(3)
  expect(outcome.error).toMatch(
    /vm-app: the connection was lost[^]*world_assets; begun and not ended: 20990101000000_fault; a migration is still at work/,
  )
  await sql(endSleepers)
  expect(await stage.leftovers('vm-app')).toEqual([])
})

test('a way through a pooler is refused, known by its port or by asking it, without the password in the message', async () => {
  await makeEmpty(lab)
  await lab.sh(
    'vm-app',
    `set -eu
    mkdir -p /run/odd
    cp /srv/weltenwind/pgbouncer/userlist.txt /run/odd
    sed -e 's/6432/5555/' -e 's#/etc/pgbouncer#/run/odd#' /srv/weltenwind/pgbouncer/pgbouncer.ini > /run/odd/pgbouncer.ini
    chown -R postgres: /run/odd
    systemd-run --quiet --collect --unit odd-pooler --uid postgres /usr/sbin/pgbouncer /run/odd/pgbouncer.ini
    cp -p ${env} ${env}.right
    sed -i 's#@10.10.10.11:5432/weltenwind$#@10.10.10.14:5555/weltenwind#' ${env}`,
  )
  const outcome = await run('pg-migrate')
  await lab.sh('vm-app', `sed -i 's#@10.10.10.14:5555/#@pgbouncer:6432/#' ${env}`)
  const plain = await run('pg-migrate')
  await lab.sh('vm-app', `mv ${env}.right ${env}; systemctl stop odd-pooler; rm -r /run/odd`)
  expect(plain).toMatchObject({
    code: 2,
    error: expect.stringMatching(/pgbouncer:6432, which is no server of main but a pooler \(6432 is/),
  })
  expect(outcome).toMatchObject({
    code: 2,
    error: expect.stringMatching(
      /10\.10\.10\.14:5555, which is no server of main but a pooler \(it answers as pgbouncer\)/,
    ),
  })
  expect(everything(outcome) + everything(plain)).not.toContain((await lab.secrets()).app)
  expect(await sql("select count(*) from pg_class where relname = 'worlds'")).toBe('0')
})

test('the database says that it is production, and the inventory does not', async () => {
  await sql(`comment on database weltenwind is '[hausmeister environment=production]'`)
  for (const task of ['pg-migrate', 'pg-seed'] as const) {
    expect(await run(task, ['--confirm', 'weltenwind'])).toMatchObject({
      code: 2,
      error: expect.stringMatching(/the inventory says that weltenwind is development/),
    })
  }
})

test('the plug of the database is pulled during the seed: what is there afterwards is told, and it was not well', async () => {
  await makeEmpty(lab)
  expect((await run('pg-migrate')).error).toBe('')
  await setSeed(lab, { pauseMs: 3000 })
  const outcome = await run('pg-seed', [], ({ event, detail }) => {
    if (event !== 'progress' || detail !== 'world north-march') return
    void lab.poweroff('pg-primary').then(() => lab.poweron('pg-primary'))
  })
  await provisionPostgres(lab)
  // The seed's own failure, or the loss of the lock with its machine, whichever is noticed first.
  expect(outcome.code).toBeOneOf([1, 3])
  expect(outcome.error).toMatch(/rows of weltenwind, before and now[^]*public\.worlds 0 → 1/)
})

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { openLab } from '../lab.ts'
import { provisionPostgres } from '../postgres.ts'
import {
  addMigration,
  brokenMigration,
  makeOldSchema,
  removeMigration,
  setSeed,
  slowMigration,
} from '../weltenwind-faults.ts'
import { placeWeltenwind } from '../weltenwind.ts'
import { Stage } from './stage.ts'
import { begins } from './task-run.ts'

const lab = openLab()
let stage: Stage

beforeAll(async () => {
  await provisionPostgres(lab)
  await placeWeltenwind(lab)
  stage = await Stage.withPrisma(lab)
}, 300_000)
afterAll(async () => stage.close())
beforeEach(async () => {
  await stage.dropAll()
  await makeOldSchema(lab)
  await removeMigration(lab)
  await setSeed(lab, {})
})

async function ask(database: string, sql: string): Promise<string> {
  const { stdout } = await lab.sh('pg-primary', `cd /; runuser -u postgres -- psql -X -At -d ${database}`, {
    input: sql,
  })
  return stdout
}

async function health(): Promise<string> {
  const { stdout } = await lab.sh('pve', "curl -s -m 9 -w '%{http_code}' http://10.10.10.14:3000/api/health")
  return stdout
}

/** Containers of `docker compose run` that run, and Prisma's processes anywhere on the machine. */
async function containersOfRuns(): Promise<string> {
  const { stdout } = await lab.sh(
    'vm-app',
    'docker ps --format "{{.Names}}" | grep -e -run- || true; pgrep -af "bin/prisma (migrate|db)" || true',
  )
  return stdout
}

async function untilItRuns(): Promise<void> {
  await expect.poll(containersOfRuns, { timeout: 20_000, interval: 300 }).toMatch(/bin\/prisma (migrate|db)/)
}

test('the old schema of seed 000, in Docker Compose behind pgbouncer, with the app connected', async () => {
  // pgbouncer may still have to notice that its server connections have ended.
  const connected = "select count(*) > 0 from pg_stat_activity where datname = 'weltenwind'"
  await expect
    .poll(async () => [(await health()).slice(-3), await ask('postgres', connected)], { timeout: 20_000 })
    .toEqual(['500', 't'])
  const { code, error, events } = await stage.pgReset(['--yes'])
  expect({ code, error }).toEqual({ code: 0, error: '' })
  const shown = events.flatMap(({ text = '' }) => text).join('\n')
  expect(shown).toMatch(/Prisma migrations: \d applied, 0 failed/)
  expect(shown).toMatch(/connected: \d+ × /)
  expect(shown).toMatch(/Added column `parent_theme`/)
  expect(await ask('weltenwind', 'select count(*) from worlds where assets is not null')).toBe('3')
  await expect.poll(health, { timeout: 20_000, interval: 500 }).toBe('{"database":"ok","redis":"ok"}200')

  const kept = (await stage.databases()).find(({ name }) => name.includes('__before_reset_'))
  expect(kept).toMatchObject({ open: false })
  expect((await stage.pgReset(['--undo', '--yes'])).error).toBe('')
  expect(await ask('weltenwind', 'select count(*) from worlds where parent_theme is not null')).toBe('2')
})

test('pending migrations are named before the question', async () => {
  await addMigration(lab, 'CREATE TABLE "later" ("id" INTEGER);\n')
  const { code, events } = await stage.pgReset(['--dry-run'])
  expect(code).toBe(0)
  expect(events.flatMap(({ text = '' }) => text).join('\n')).toContain('pending: 1 (20990101000000_fault)')
})

test('a migration fails: what Prisma said is shown, and the old one is back', async () => {
  await addMigration(lab, brokenMigration)
  const { code, error } = await stage.pgReset(['--yes'])
  expect(code).toBe(1)
  expect(error).toMatch(/npx prisma migrate deploy[^]*weltenwind is back under its name[^]*nowhere/)
  expect(await ask('weltenwind', 'select count(*) from players')).toBe('200')
})

test('the seed fails', async () => {
  await setSeed(lab, { fail: true })
  const { code, error } = await stage.pgReset(['--yes'])
  expect(code).toBe(1)
  expect(error).toMatch(/npx prisma db seed[^]*weltenwind is back under its name/)
  expect(await ask('weltenwind', 'select count(*) from players')).toBe('200')
})

test('the controller is killed during a long migration: nothing of it runs on in the container', async () => {
  await addMigration(lab, slowMigration(60))
  const outcome = await stage.pgReset(['--yes'], (line, kill) => {
    // Prisma prints nothing while it waits for the server.
    if (begins('Migrate', line)) void untilItRuns().then(() => kill('SIGKILL'))
  })
  expect(outcome.code).not.toBe(0)
  expect(await stage.leftovers('vm-app')).toEqual([])
  await expect.poll(containersOfRuns, { timeout: 15_000, interval: 300 }).toBe('')
  const next = await stage.pgReset(['--yes'])
  expect(next).toMatchObject({ code: 1, error: expect.stringMatching(/did not finish/) })
  expect((await stage.pgReset(['--undo'])).error).toBe('')
  expect(await ask('weltenwind', 'select count(*) from players')).toBe('200')
})

test('Ctrl-C during a long seed: the container ends, and the old one is back', async () => {
  await setSeed(lab, { pauseMs: 60_000 })
  const outcome = await stage.pgReset(['--yes'], (line, kill) => {
    if (begins('Seed', line)) void untilItRuns().then(() => kill('SIGINT'))
  })
  expect(outcome).toMatchObject({
    code: 130,
    error: expect.stringMatching(/weltenwind is back under its name/),
  })
  await expect.poll(containersOfRuns, { timeout: 15_000, interval: 300 }).toBe('')
  expect(await ask('weltenwind', 'select count(*) from players')).toBe('200')
})

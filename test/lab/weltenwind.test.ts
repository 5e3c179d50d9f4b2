import { afterAll, beforeAll, expect, test } from 'vitest'

import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'
import {
  addMigration,
  brokenMigration,
  makeEmpty,
  makeOldSchema,
  removeMigration,
} from './weltenwind-faults.ts'
import { placeWeltenwind } from './weltenwind.ts'

const lab = openLab()
const url = 'http://10.10.10.14:3000/api/health'

beforeAll(async () => {
  await provisionPostgres(lab)
  await placeWeltenwind(lab)
}, 300_000)

afterAll(() => removeMigration(lab))

/** As a task runs the app's own commands. */
function inApp(command: string) {
  const run = 'docker compose -f /srv/weltenwind/docker-compose.yml run --rm --no-deps -T app'
  return lab.sh('vm-app', `${run} ${command}`, { nothrow: true })
}

async function health(): Promise<string> {
  return (await lab.sh('pve', `curl -s -m 9 -w '%{http_code}' ${url}`)).stdout
}

async function ask(sql: string): Promise<string> {
  const psql = 'cd / && runuser -u postgres -- psql -X -At -d weltenwind'
  return (await lab.sh('pg-primary', psql, { input: sql })).stdout
}

test('migrate and seed fill an empty database, and the app is well', async () => {
  await makeEmpty(lab)
  expect(await health()).toMatch(/page_permissions.* does not exist.*500$/)
  expect(await inApp('npx prisma migrate deploy')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('All migrations have been successfully applied.'),
  })
  expect(await inApp('npx prisma db seed')).toMatchObject({ exitCode: 0 })
  expect(await ask('select count(*) from worlds')).toBe('3')
  expect(await health()).toBe('{"database":"ok","redis":"ok"}200')
  expect((await inApp('node prisma/drift.js')).stdout).toBe('No difference detected.')
})

test('the migrations and schema.prisma describe the same', async () => {
  const compare = '--from-migrations prisma/migrations --to-schema-datamodel prisma/schema.prisma'
  expect(await inApp(`npx prisma migrate diff --exit-code ${compare}`)).toMatchObject({ exitCode: 0 })
})

test('on the old schema migrate finds nothing to do, the seed fails, and drift says why', async () => {
  await makeOldSchema(lab)
  expect(await inApp('npx prisma migrate deploy')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('No pending migrations to apply.'),
  })
  expect(await inApp('npx prisma db seed')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/prisma\.world\.upsert\(\)[^]*`assets` does not exist/),
  })
  expect(await health()).toMatch(/500$/)
  expect((await inApp('node prisma/drift.js')).stdout).toMatch(
    /Removed column `assets`\n +\[\+\] Added column `parent_theme`\n +\[\+\] Added column `theme_bundle`/,
  )
})

test('a broken migration leaves nothing but a failed row, which stops the next deploy', async () => {
  await makeEmpty(lab)
  await addMigration(lab, brokenMigration)
  expect(await inApp('npx prisma migrate deploy')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('No such table: nowhere'),
  })
  expect(await ask(`select to_regclass('half') is null, to_regclass('worlds') is null`)).toBe('t|f')
  expect(await ask('select migration_name from _prisma_migrations where finished_at is null')).toBe(
    '20990101000000_fault',
  )
  expect(await inApp('npx prisma migrate deploy')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('P3009'),
  })
})

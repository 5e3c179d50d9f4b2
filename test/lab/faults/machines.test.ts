import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { openLab } from '../lab.ts'
import { provisionPostgres } from '../postgres.ts'
import { Stage, type TaskLine } from './stage.ts'

const lab = openLab()
let stage: Stage

beforeAll(async () => {
  await provisionPostgres(lab)
  stage = await Stage.open(lab)
})
afterAll(async () => stage.close())
beforeEach(async () => stage.reset())
afterEach(async () => {
  expect(await stage.leftovers('pg-primary')).toEqual([])
  expect(await stage.leftovers('vm-app')).toEqual([])
})

const undo = /npx tsx tasks\/pg-reset\.ts --database weltenwind --undo/

function isRenamed({ event, state, title }: TaskLine): boolean {
  return event === 'step' && state === 'done' && title?.startsWith('Rename') === true
}

function isPuttingBack({ event, state, title }: TaskLine): boolean {
  return event === 'step' && state === 'started' && title === 'Put weltenwind back'
}

async function expectOldBack(): Promise<void> {
  expect(await stage.whereOldDataIs()).toBe('weltenwind')
  expect(await stage.databases()).toContainEqual(expect.objectContaining({ name: 'weltenwind', open: true }))
}

test('migrate fails: the old one is back, the half-built one is kept, the output is shown', async () => {
  await stage.script('migrate', 'create table half (id int); alter table nowhere add column x int')
  const outcome = await stage.pgReset(['--yes'])
  expect(outcome.code).toBe(1)
  expect(outcome.error).toMatch(/\.\/migrate/)
  expect(outcome.error).toMatch(/weltenwind is back under its name.*kept as weltenwind__failed_/)
  expect(outcome.error).toMatch(/relation "nowhere" does not exist/)
  await expectOldBack()
  expect(await stage.databases()).toContainEqual(
    expect.objectContaining({ name: expect.stringMatching(/^weltenwind__failed_/), open: false }),
  )
})

test('seed fails after a good migration', async () => {
  await stage.script('seed', "insert into world values (1, 'one'); insert into world values (1, 'again')")
  const outcome = await stage.pgReset(['--yes'])
  expect(outcome).toMatchObject({ code: 1, error: expect.stringMatching(/\.\/seed[^]*duplicate key/) })
  await expectOldBack()
})

test('a migration that makes no table is no success', async () => {
  await stage.script('migrate', 'select 1')
  await stage.script('seed', 'select 1')
  const outcome = await stage.pgReset(['--yes'])
  expect(outcome).toMatchObject({
    code: 1,
    error: expect.stringContaining('has no table after its migration'),
  })
  await expectOldBack()
})

test('the app cannot log in from its own machine: no success', async () => {
  await lab.sh(
    'pg-primary',
    "sed -i '1i host weltenwind ww_app 10.10.10.14/32 reject' /etc/postgresql/17/main/pg_hba.conf; systemctl reload postgresql@17-main",
  )
  await stage.script('migrate', '#!/bin/sh\n. ./env\nPGHOST=10.10.10.11 exec true\n')
  await stage.script('seed', '#!/bin/sh\ntrue\n')
  try {
    const outcome = await stage.pgReset(['--yes'])
    expect(outcome).toMatchObject({
      code: 1,
      error: expect.stringMatching(/pg_hba\.conf rejects connection/),
    })
    await expectOldBack()
  } finally {
    await lab.sh(
      'pg-primary',
      "sed -i '1d' /etc/postgresql/17/main/pg_hba.conf; systemctl reload postgresql@17-main",
    )
  }
})

test('the disk of the database runs full during the seed', async () => {
  await lab.sh('pg-primary', 'systemctl stop postgresql@17-main')
  await lab.limitDisk('pg-primary', '/var/lib/postgresql', '400M')
  try {
    await lab.sh('pg-primary', 'systemctl start postgresql@17-main')
    await stage.script(
      'seed',
      "insert into world select i, repeat('x', 1000) from generate_series(1, 2000000) i",
    )
    const outcome = await stage.pgReset(['--yes'])
    expect(outcome.code).not.toBe(0)
    expect(outcome.error).toMatch(/No space left on device/)
    if (await stage.answers()) {
      await expectOldBack()
    } else {
      // A full disk may stop PostgreSQL itself: then the message says what to run once there is room.
      expect(outcome.error).toMatch(undo)
      await lab.sh(
        'pg-primary',
        'mount -o remount,size=800M /var/lib/postgresql; systemctl restart postgresql@17-main',
      )
      expect((await stage.pgReset(['--undo'])).error).toBe('')
      await expectOldBack()
    }
  } finally {
    await lab.sh('pg-primary', 'systemctl stop postgresql@17-main')
    await lab.unlimitDisk('pg-primary', '/var/lib/postgresql')
    await lab.sh('pg-primary', 'systemctl start postgresql@17-main')
  }
})

test('the cable is cut after the rename, and mended: the run itself puts the old one back', async () => {
  const outcome = await stage.pgReset(['--yes'], (line) => {
    if (isRenamed(line)) void lab.cut('pg-primary')
    if (isPuttingBack(line)) void lab.mend('pg-primary')
  })
  expect(outcome.code).toBe(3)
  expect(outcome.error).toMatch(/pg-primary: the connection was lost[^]*weltenwind is back under its name/)
  await expectOldBack()
})

test('the cable stays cut: the run ends, says so, and --undo repairs it later', async () => {
  const outcome = await stage.pgReset(['--yes'], (line) => {
    if (isRenamed(line)) void lab.cut('pg-primary')
  })
  await lab.mend('pg-primary')
  expect(outcome.code).toBe(3)
  expect(outcome.error).toMatch(/pg-primary: the connection was lost[^]*not repaired: .*pg-primary/)
  expect(outcome.error).toMatch(undo)
  const next = await stage.pgReset(['--yes'])
  expect(next).toMatchObject({ code: 1, error: expect.stringMatching(/did not finish/) })
  expect((await stage.pgReset(['--undo'])).error).toBe('')
  await expectOldBack()
})

test("the database host's plug is pulled after the rename, and it boots again: the old one is back", async () => {
  const outcome = await stage.pgReset(['--yes'], (line) => {
    if (isRenamed(line)) void lab.poweroff('pg-primary').then(() => lab.poweron('pg-primary'))
  })
  expect(outcome.code).toBe(3)
  expect(outcome.error).toMatch(/pg-primary: the connection was lost[^]*weltenwind is back under its name/)
  await expectOldBack()
})

test("the app host's plug is pulled during the seed: the old one is back", async () => {
  await stage.script('seed', '#!/bin/sh\necho seeding\nsleep 300\n')
  const outcome = await stage.pgReset(['--yes'], ({ event }) => {
    if (event === 'progress') void lab.poweroff('vm-app')
  })
  await lab.poweron('vm-app')
  expect(outcome.code).toBe(3)
  expect(outcome.error).toMatch(/vm-app: the connection was lost[^]*weltenwind is back under its name/)
  await expectOldBack()
})

test('the database server is stopped during the seed, and comes back', async () => {
  await stage.script('seed', '#!/bin/sh\necho seeding\n. ./env\nexec psql -X -c "select pg_sleep(60)"\n')
  const outcome = await stage.pgReset(['--yes'], ({ event }) => {
    if (event === 'progress') void lab.sh('pg-primary', 'systemctl restart postgresql@17-main')
  })
  expect(outcome.code).toBe(1)
  // The seed may come while it shuts down.
  expect(outcome.error).toMatch(/terminating connection|is shutting down/)
  expect(outcome.error).toMatch(/weltenwind is back/)
  await expectOldBack()
})

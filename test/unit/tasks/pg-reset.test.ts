import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { exitCode } from '../../../lib/task/exit-code.ts'
import { Rehearsal, type Rehearsed } from './rehearsal.ts'
import {
  closeAndRename,
  create,
  earlier,
  expectOldOne,
  fill,
  finish,
  kept,
  mark,
  shadow,
} from './transcript.ts'

/** Nobody has to wait for machines that answer at once. */
vi.mock('node:timers/promises', () => ({
  setTimeout: () => new Promise((resolve) => setImmediate(resolve)),
}))

/** Time goes on between two runs, or two copies could have one name. */
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-21T02:14:11Z') }))
afterEach(() => void vi.useRealTimers())

/** The shop with a pooler in front of its database. */
const pooled = { 'postgres/main/pooler': { runtime: 'systemd', host: 'vm-app' } }

function later(): void {
  vi.setSystemTime(Date.now() + 60_000)
}

function titles({ events }: Rehearsed): string[] {
  return events.flatMap((event) =>
    event.event === 'step' && event.state !== 'started' ? [`${event.state}: ${event.title}`] : [],
  )
}

function notes({ events }: Rehearsed): string {
  return events.flatMap((event) => (event.event === 'note' ? [event.text] : [])).join('\n')
}

/** The server's databases, with `<time>` in place of times. */
function databases({ postgres }: Rehearsal): string[] {
  return postgres.list().map((line) => line.replaceAll(/\d{8}T\d{6}Z/g, '<time>'))
}

describe('a reset', () => {
  test('does this, in this order', async () => {
    const rehearsal = new Rehearsal()
    const run = await rehearsal.run()
    expect(run.error).toBeUndefined()
    expect(rehearsal.transcript).toEqual([...closeAndRename, ...create, ...shadow, ...fill, ...finish])
    expect(titles(run).map((title) => title.replaceAll(/\d{8}T\d{6}Z/g, '<time>'))).toEqual([
      'done: Primary of main is pg-1',
      'done: Look at shop',
      'done: Close the door of shop',
      'done: End the sessions of shop',
      `done: Rename shop to ${kept}`,
      'done: Create an empty shop',
      'done: Create an empty shop_shadow',
      'done: Migrate: npm run migrate',
      'done: Seed: npm run seed',
      'done: Prove that shop_app can use shop',
      'done: Mark the reset of shop as finished',
    ])
    expect(databases(rehearsal)).toEqual([
      `shop: our shop ${mark}]`,
      `${kept}: our shop ${mark} reset=finished] (closed)`,
      'shop_shadow: ',
    ])
    expect(rehearsal.postgres.get('shop').tables).toBe(14)
    expect(notes(run)).toContain('put the old one back: npx tsx tasks/pg-reset.ts --database shop --undo')
  })

  test('lets the clients of a pooler wait until the new one is there', async () => {
    const rehearsal = new Rehearsal()
    const { error } = await rehearsal.run({ inventory: pooled })
    expect(error).toBeUndefined()
    expect(rehearsal.transcript).toEqual([
      'vm-app: pause',
      ...closeAndRename,
      ...create,
      'vm-app: resume',
      ...shadow,
      ...fill,
      ...finish,
    ])
  })

  test('lets them wait until the old one is back when that fails', async () => {
    const rehearsal = new Rehearsal()
    const { error } = await rehearsal.run({ inventory: pooled, fault: { at: 3, kind: 'fails' } })
    expect(error?.message).toContain('is back under its name')
    const { transcript } = rehearsal
    expect([transcript[0], transcript.at(-1)]).toEqual(['vm-app: pause', 'vm-app: resume'])
    expect(transcript.filter((line) => line.startsWith('vm-app'))).toHaveLength(2)
  })

  test('the old one comes back, whether or not the pooler answers', async () => {
    const rehearsal = new Rehearsal()
    await rehearsal.run({ inventory: pooled })
    rehearsal.silent.add('vm-app')
    later()
    const run = await rehearsal.run({ flags: { database: 'shop', undo: true }, inventory: pooled })
    expect(run.error).toBeUndefined()
    expect(rehearsal.postgres.get('shop').tables).toBe(12)
    expect(notes(run)).toContain('the pooler is not paused: vm-app: no answer')
  })

  test('can leave steps out', async () => {
    const rehearsal = new Rehearsal()
    const flags = { database: 'shop', skipMigrate: true, skipSeed: true }
    const inventory = { 'postgres/main/databases/shop/shadow': undefined }
    const { error } = await rehearsal.run({ flags, inventory })
    expect(error).toBeUndefined()
    expect(rehearsal.transcript).toEqual([...closeAndRename, ...create, ...finish])
  })

  test('drops the old one with --discard, when all the rest is done', async () => {
    const rehearsal = new Rehearsal()
    await rehearsal.run({ flags: { database: 'shop', discard: true } })
    expect(rehearsal.transcript.slice(-2)).toEqual([...finish, `pg-1: drop database "${kept}"`])
    expect(databases(rehearsal)).toEqual([`shop: our shop ${mark}]`, 'shop_shadow: '])
  })

  test('goes on without a replica that does not answer, and says so', async () => {
    const rehearsal = new Rehearsal()
    rehearsal.silent.add('pg-2')
    const run = await rehearsal.run()
    expect(run.error).toBeUndefined()
    expect(notes(run)).toContain('no answer: pg-2: no answer')
  })
})

describe('nothing is changed', () => {
  test('in a dry run, which tells every change and then looks at nothing that is not there', async () => {
    const rehearsal = new Rehearsal()
    const before = structuredClone(rehearsal.postgres.databases)
    const { error, would } = await rehearsal.run({ dryRun: true })
    expect(error).toBeUndefined()
    expect(rehearsal.transcript).toEqual([])
    expect(rehearsal.postgres.databases).toEqual(before)
    const statements = [...closeAndRename, ...create, ...shadow]
      .map((line) => `${line.replace('pg-1: ', '')};`)
      .map((line) => line.replaceAll(/\s+/g, ' '))
    expect(would.map((line) => line.replaceAll(/\s+/g, ' '))).toEqual([
      ...statements,
      'npm run migrate # vm-app, /srv/shop',
      'npm run seed # vm-app, /srv/shop',
      `comment on database "${kept}" is 'our shop ${mark} reset=finished]';`,
    ])
  })

  test.each<[string, (rehearsal: Rehearsal) => void, string, number]>([
    [
      'when the lock is held: by whom, for what, since when',
      (rehearsal) =>
        (rehearsal.holder = '{"who":"berta@desk","task":"pg-backup","since":"2026-11-21T02:13:11.000Z"}'),
      'pg/shop is locked by berta@desk: pg-backup, since 2026-11-21T02:13:11.000Z (1 min 0 s)',
      exitCode.locked,
    ],
    [
      'when the server says production',
      ({ postgres }) => (postgres.get('shop').comment = '[hausmeister environment=production]'),
      'the inventory says that shop is development, and the database on pg-1 itself says that it is production',
      exitCode.usage,
    ],
    [
      'when only a standby answers',
      (rehearsal) => (rehearsal.postgres.standby = true),
      'pg-1, pg-2 are standbys, and no primary was found',
      exitCode.failed,
    ],
    [
      'when the primary does not answer',
      (rehearsal) => rehearsal.silent.add('pg-1'),
      'pg-2 is a standby, and no primary was found; no answer from the others: pg-1: no answer',
      exitCode.unreachable,
    ],
    [
      'when no server answers',
      ({ silent }) => void silent.add('pg-1').add('pg-2'),
      '2 problems:\n- pg-1: no answer\n- pg-2: no answer',
      exitCode.unreachable,
    ],
    [
      'when the machine of the app does not answer',
      (rehearsal) => rehearsal.silent.add('vm-app'),
      'vm-app: no answer',
      exitCode.unreachable,
    ],
    [
      'when there is no such database',
      ({ postgres }) => postgres.change(['drop database "shop" with (force)']),
      'there is no database shop on pg-1',
      exitCode.usage,
    ],
  ])('%s', async (_, prepare, message, code) => {
    const rehearsal = new Rehearsal()
    prepare(rehearsal)
    const before = [...rehearsal.transcript]
    const { error } = await rehearsal.run()
    expect(error).toMatchObject({ message, code })
    expect(rehearsal.transcript).toEqual(before)
  })
})

describe('--undo', () => {
  const flags = { database: 'shop', undo: true }

  test('puts the newest one back, and keeps what was there; a second one takes that back', async () => {
    const rehearsal = new Rehearsal(earlier)
    const { oid } = rehearsal.postgres.get('shop')
    await rehearsal.run()
    const fresh = rehearsal.postgres.get('shop').oid
    later()
    expect((await rehearsal.run({ flags })).error).toBeUndefined()
    expectOldOne(rehearsal, oid)
    later()
    expect((await rehearsal.run({ flags })).error).toBeUndefined()
    expect(rehearsal.postgres.get('shop').oid).toBe(fresh)
  })

  test('without a copy changes nothing', async () => {
    const rehearsal = new Rehearsal()
    const { error } = await rehearsal.run({ flags })
    expect(error?.message).toBe('there is no kept copy of shop on pg-1; nothing was changed')
    expect(rehearsal.transcript).toEqual([])
  })

  test('does not put a copy of production in the place of development', async () => {
    const comment = '[hausmeister environment=production reset=finished]'
    const rehearsal = new Rehearsal({ ...earlier, comment })
    const { error } = await rehearsal.run({ flags })
    expect(error?.message).toContain('itself says that it is production')
    expect(rehearsal.transcript).toEqual([])
  })

  test('in a dry run is only told', async () => {
    const rehearsal = new Rehearsal(earlier)
    const { error, would } = await rehearsal.run({ flags, dryRun: true })
    expect(error).toBeUndefined()
    expect(rehearsal.transcript).toEqual([])
    expect(would).toContain(`alter database "shop__before_reset_<time>" rename to "shop";`)
  })
})

describe('--discard-kept', () => {
  const flags = { database: 'shop', discardKept: true }

  test('drops all copies but the newest one', async () => {
    const rehearsal = new Rehearsal(
      earlier,
      { ...earlier, name: 'shop__before_reset_20261002T000000Z' },
      { ...earlier, name: 'shop__failed_20261003T000000Z' },
    )
    expect((await rehearsal.run({ flags })).error).toBeUndefined()
    expect(rehearsal.postgres.list().map((line) => line.split(':')[0])).toEqual([
      'shop',
      'shop__before_reset_20261002T000000Z',
      'shop_shadow',
    ])
  })

  test('never drops the old one of a reset that did not finish', async () => {
    const unfinished = { ...earlier, comment: `${mark} reset=unfinished]` }
    const newer = { ...earlier, name: 'shop__before_reset_20261101T000000Z' }
    const rehearsal = new Rehearsal(unfinished, newer)
    const run = await rehearsal.run({ flags })
    expect(run.error).toBeUndefined()
    expect(rehearsal.transcript).toEqual([])
    expect(notes(run)).toContain('there are no kept copies of shop beyond the newest one')
  })
})

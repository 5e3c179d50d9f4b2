import { describe, expect, test } from 'vitest'

import { proveBack, putBack, wayBack } from '../../../../lib/postgres/reset/put-back.ts'
import { failure } from '../../doubles.ts'
import { type FakeDatabase, FakePostgres, FakeServer } from '../fake-postgres.ts'

const now = new Date('2026-11-21T02:14:11Z')
const kept = 'shop__before_reset_20261101T000000Z'
const older = 'shop__before_reset_20261001T000000Z'

interface After {
  way: string
  half: boolean | undefined
  databases: string[]
  statements: string[]
}

/** Puts shop back on a server with these databases. */
async function after(databases: (Partial<FakeDatabase> & { name: string })[], oid?: string): Promise<After> {
  const postgres = new FakePostgres(...databases)
  const server = new FakeServer(postgres)
  const way = await wayBack(server, 'shop', now, oid)
  await putBack(server, 'shop', way, false)
  return {
    way: way.way,
    half: way.way === 'swap' ? way.half : undefined,
    databases: postgres.list(),
    statements: postgres.transcript,
  }
}

describe('after a reset that was cut off', () => {
  test('when the door was closed: it is opened', async () => {
    const comment = 'our shop [hausmeister environment=test reset=closing]'
    expect(
      await after([
        { name: 'shop', comment, open: false },
        { name: older, open: false },
      ]),
    ).toMatchObject({
      way: 'open',
      databases: ['shop: our shop [hausmeister environment=test]', `${older}:  (closed)`],
    })
  })

  test('when it was renamed: it gets its name back', async () => {
    const comment = '[hausmeister environment=test reset=unfinished]'
    expect(await after([{ name: kept, comment, open: false }])).toMatchObject({
      way: 'swap',
      half: true,
      databases: ['shop: [hausmeister environment=test]'],
      statements: [
        'begin',
        `alter database "${kept}" rename to "shop"`,
        'alter database "shop" with allow_connections true',
        `comment on database "shop" is '[hausmeister environment=test]'`,
        'commit',
      ],
    })
  })

  test('when a half-built one has its name: that one is put aside, in the same transaction', async () => {
    const mark = '[hausmeister environment=test'
    const done = await after([
      {
        name: 'shop',
        comment: `${mark}]`,
        sessions: [{ pid: 7, application: 'app', address: '192.0.2.4', user: 'shop_app' }],
      },
      { name: kept, comment: `${mark} reset=unfinished]`, open: false },
    ])
    expect(done.databases).toEqual([`shop: ${mark}]`, `shop__failed_20261121T021411Z: ${mark}] (closed)`])
    expect(done.statements).toEqual([
      'begin',
      'alter database "shop" with allow_connections false',
      `comment on database "shop" is '${mark}]'`,
      'commit',
      `select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = 'shop' and pid <> pg_backend_pid()`,
      'begin',
      'alter database "shop" rename to "shop__failed_20261121T021411Z"',
      'alter database "shop__failed_20261121T021411Z" with allow_connections false',
      `comment on database "shop__failed_20261121T021411Z" is '${mark}]'`,
      `alter database "${kept}" rename to "shop"`,
      'alter database "shop" with allow_connections true',
      `comment on database "shop" is '${mark}]'`,
      'commit',
    ])
  })
})

describe('after a reset that ended well', () => {
  test('the newest copy comes back, and what is there now becomes a copy', async () => {
    const mark = '[hausmeister environment=test reset=finished]'
    expect(
      await after([
        { name: 'shop', comment: 'new [hausmeister environment=test]' },
        { name: older, comment: mark, open: false },
        { name: kept, comment: mark, open: false },
        { name: 'shop__failed_20261110T000000Z', open: false },
      ]),
    ).toMatchObject({
      way: 'swap',
      half: false,
      databases: [
        'shop: [hausmeister environment=test]',
        `${older}: ${mark} (closed)`,
        'shop__before_reset_20261121T021411Z: new [hausmeister environment=test reset=finished] (closed)',
        'shop__failed_20261110T000000Z:  (closed)',
      ].toSorted(),
    })
  })

  test('a crash between closing the present one and the swap is seen by the next run', async () => {
    const postgres = new FakePostgres({ name: 'shop' }, { name: kept, open: false })
    postgres.before = (statement) => {
      if (statement.includes('rename')) throw new Error('the plug was pulled')
    }
    const server = new FakeServer(postgres)
    await failure(putBack(server, 'shop', await wayBack(server, 'shop', now), false))
    expect(postgres.list()).toEqual(['shop: [hausmeister reset=closing] (closed)', `${kept}:  (closed)`])
    postgres.before = () => {}
    expect(await wayBack(server, 'shop', now)).toMatchObject({ way: 'open' })
  })

  test('without a copy there is nothing to put back', async () => {
    expect((await failure(after([{ name: 'shop' }]))).message).toBe(
      'there is no kept copy of shop on pg-1; nothing was changed',
    )
  })

  test('the database itself is gone: the copy takes its name', async () => {
    expect(await after([{ name: kept, open: false }])).toMatchObject({ half: false, databases: ['shop: '] })
  })
})

describe('for a certain database', () => {
  test('that was never touched: an older copy does not take its place', async () => {
    const postgres = new FakePostgres({ name: 'shop' }, { name: kept, open: false })
    const server = new FakeServer(postgres)
    const way = await wayBack(server, 'shop', now, postgres.get('shop').oid)
    expect(way.way).toBe('none')
    await putBack(server, 'shop', way, false)
    expect(postgres.transcript).toEqual([])
  })

  test('that is a finished copy: it comes back, and no other', async () => {
    const postgres = new FakePostgres(
      { name: 'shop' },
      { name: older, open: false },
      { name: kept, open: false },
    )
    const way = await wayBack(new FakeServer(postgres), 'shop', now, postgres.get(older).oid)
    expect(way).toMatchObject({ way: 'swap', half: false, old: { name: older } })
  })
})

test('a dry run waits for no session', async () => {
  const sessions = [{ pid: 7, application: 'app', address: 'local', user: 'shop_app' }]
  const postgres = new FakePostgres({ name: 'shop', sessions }, { name: kept, open: false })
  const server = new FakeServer(postgres)
  const changed: string[] = []
  server.change = async (statements) => void changed.push(...statements.map(({ text }) => text))
  await putBack(server, 'shop', await wayBack(server, 'shop', now), true)
  expect(changed.length).toBe(13)
})

describe('proveBack', () => {
  const postgres = new FakePostgres({ name: 'shop' }, { name: 'closed', open: false })
  const server = new FakeServer(postgres)

  test('is content with the same database, open, under its name', async () => {
    expect(await proveBack(server, 'shop', postgres.get('shop').oid)).toBeUndefined()
  })

  test.each([
    ['nothing', '1', 'PostgreSQL on pg-1: there is no nothing'],
    ['shop', '1', 'PostgreSQL on pg-1: shop is another database than before'],
    ['closed', postgres.get('closed').oid, 'PostgreSQL on pg-1: closed accepts no connections'],
  ])('%s', async (name, oid, message) => {
    expect((await failure(proveBack(server, name, oid))).message).toBe(message)
  })
})

test('what a restore has replaced comes back, and the restored one is kept as one that a restore put aside', async () => {
  const replaced = 'shop__before_restore_20261110T000000Z'
  expect(
    await after([
      { name: 'shop' },
      { name: replaced, comment: '[hausmeister reset=finished]', open: false },
      { name: kept, open: false },
    ]),
  ).toMatchObject({
    way: 'swap',
    half: false,
    databases: [
      'shop: ',
      `${kept}:  (closed)`,
      'shop__before_restore_20261121T021411Z: [hausmeister reset=finished] (closed)',
    ],
  })
})

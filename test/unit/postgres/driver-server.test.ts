import { describe, expect, test } from 'vitest'
import * as z from 'zod'

import { HostError } from '../../../lib/host/errors.ts'
import { DriverServer } from '../../../lib/postgres/driver-server.ts'
import { PostgresError, transaction } from '../../../lib/postgres/server.ts'
import { sql } from '../../../lib/postgres/sql.ts'
import { failure, RecordedRun } from '../doubles.ts'
import { backend, type Conversation } from './backend.ts'

const password = Math.random().toString(36)
const url = new URL(`postgresql://admin@db.example:6432/maintenance`)
url.password = password

type Query = (text: string) => Record<string, unknown>[]

/** A managed server, and all conversations with it. */
function managed(query: Query, run = new RecordedRun()) {
  const talks: Conversation[] = []
  const dialled: string[] = []
  const server = new DriverServer(
    'cloud',
    url,
    async (address, port) => {
      dialled.push(`${address}:${port}`)
      const { client, said } = backend({ password, query })
      talks.push(said)
      return client
    },
    run,
  )
  return { server, talks, dialled, run }
}

test('a question goes in a read-only transaction, and its rows come as JSON', async () => {
  const { server, talks, dialled } = managed(() => [{ rows: '[{"one": 1}]' }])
  expect(await server.select(z.object({ one: z.number() }), sql`select 1 as one`)).toEqual([{ one: 1 }])
  expect(dialled).toEqual(['db.example:6432'])
  expect(talks).toEqual([
    {
      user: 'admin',
      database: 'maintenance',
      application: 'hausmeister',
      queries: [
        `begin read only; select coalesce(json_agg(q), '[]')::text as rows from (select 1 as one) q; commit`,
      ],
    },
  ])
})

test('one connection for each database, used again', async () => {
  const { server, talks, run } = managed(() => [{ rows: '[]' }])
  const ask = (database?: string) => server.select(z.object({}), sql`select`, database)
  await Promise.all([ask(), ask('shop'), ask(), ask('a:b')])
  await ask('shop')
  expect(talks.map(({ database, queries }) => `${database} ${queries.length}`)).toEqual([
    'maintenance 2',
    'shop 2',
    'a:b 1',
  ])
  for (const close of run.closers) await close()
})

test('a script goes whole, as its role, and leaves no setting behind', async () => {
  const { server, talks, run } = managed(() => [])
  await server.script({ name: '1_init', text: 'create table a (); select 1' }, 'shop_app', 'shop')
  expect(talks[0]?.queries).toEqual(['set role "shop_app"', 'create table a (); select 1', 'discard all'])
  expect(run.changes).toEqual([
    { state: 'done', host: 'cloud', user: 'admin', command: 'SQL in shop as shop_app < 1_init' },
  ])
})

describe('a change', () => {
  test('goes statement by statement, and is told as one', async () => {
    const { server, talks, run } = managed(() => [])
    await server.change(transaction([sql`drop table t`]), 'shop')
    expect(talks[0]?.queries).toEqual(['begin', 'drop table t', 'commit'])
    expect(run.changes).toEqual([
      {
        state: 'done',
        host: 'cloud',
        user: 'admin',
        command: 'SQL in shop',
        input: 'begin;\ndrop table t;\ncommit;',
      },
    ])
  })

  test('stops at the first error; its open transaction does not reach the next statement', async () => {
    const { server, talks, run } = managed((text) => {
      if (text === 'drop table t') throw new Error('table "t" does not exist')
      return []
    })
    const error = await failure(server.change(transaction([sql`drop table t`])))
    expect(error).toBeInstanceOf(PostgresError)
    expect(error.message).toBe('PostgreSQL on cloud: table "t" does not exist')
    await server.change([sql`vacuum`])
    expect(talks.map(({ queries }) => queries)).toEqual([['begin', 'drop table t'], ['vacuum']])
    expect(run.changes.map(({ state }) => state)).toEqual(['failed', 'done'])
  })

  test('is only told in a dry run', async () => {
    const { server, dialled, run } = managed(() => [], new RecordedRun({ dryRun: true }))
    await server.change([sql`vacuum`])
    expect(dialled).toEqual([])
    expect(run.changes).toMatchObject([{ state: 'would', command: 'SQL in maintenance' }])
  })
})

test('a server that cannot be reached is tried again with the next statement', async () => {
  let down = true
  const server = new DriverServer(
    'cloud',
    url,
    async () => {
      if (down) throw new HostError('gate', 'forward', 'cannot open db.example:6432 from there')
      return backend({ password, query: () => [] }).client
    },
    new RecordedRun(),
  )
  expect(await failure(server.change([sql`vacuum`]))).toMatchObject({ failure: 'forward' })
  down = false
  expect(await server.change([sql`vacuum`])).toBeUndefined()
})

describe('a lock', () => {
  const holder = { who: 'anna@desk', task: 'pg-reset', since: '2026-11-21T02:14:11.000Z' }

  test('is a session that says who it is', async () => {
    const { server, talks } = managed(() => [{ held: true }])
    const attempt = await server.lock('pg/shop', holder)
    expect(attempt.held).toBe(true)
    expect(talks[0]).toMatchObject({ database: 'maintenance', application: 'pg-reset anna@desk' })
    expect(talks[0]?.queries[0]).toContain("pg_try_advisory_lock(hashtextextended('hausmeister/pg/shop', 0))")
  })

  test('that is lost is told; one that is given back is not lost', async () => {
    const lines = [1, 2].map(() => backend({ password, query: () => [{ held: true }] }))
    const server = new DriverServer(
      'cloud',
      url,
      async () => lines[index++ % 2]?.client ?? Promise.reject(new Error('no line')),
      new RecordedRun(),
    )
    let index = 0
    const [lost, released] = [await server.lock('a', holder), await server.lock('b', holder)]
    if (!lost.held || !released.held) throw new Error('not held')
    let told = false
    void released.lost.then(() => (told = true))
    await released.release()
    lines[0]?.hangUp()
    expect((await lost.lost).message).toBe('PostgreSQL on cloud: the session that held the lock a ended')
    expect(told).toBe(false)
  })

  test('that another one holds: who, which task, since when', async () => {
    const since = new Date('2026-11-21T02:14:11.000Z')
    const { server } = managed((text) =>
      text.includes('pg_try_advisory_lock') ? [{ held: false }] : [{ task: 'pg-backup berta@desk', since }],
    )
    expect(await server.lock('pg/shop', holder)).toEqual({
      held: false,
      by: JSON.stringify({ who: 'berta@desk', task: 'pg-backup', since: since.toISOString() }),
    })
  })
})

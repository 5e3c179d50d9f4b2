import { describe, expect, test } from 'vitest'

import { HostError } from '../../../../lib/host/errors.ts'
import { Hosts } from '../../../../lib/host/hosts.ts'
import { findRoute } from '../../../../lib/postgres/migrate/probe.ts'
import { failure, RecordedRun, ScriptedMachine } from '../../doubles.ts'
import { backend } from '../backend.ts'
import { shopEstate } from '../reset/shop.ts'

const password = Math.random().toString(36)
const endpoints = [{ server: 'pg-1', host: '192.0.2.1', port: 5432 }]
type Query = (text: string) => Record<string, unknown>[]

/** What is found out about an address where this answers; it may also be no answer at all. */
async function route(address: string, answer: Query | Error, refusal?: string) {
  const estate = await shopEstate()
  const dialled: string[] = []
  const talks: { database: string; queries: string[] }[] = []
  const dial = async () => {
    if (answer instanceof Error) throw answer
    const { client, said } = backend({
      password,
      query: answer,
      ...(refusal === undefined ? {} : { refusal }),
    })
    talks.push(said)
    return client
  }
  const hosts = new Hosts(estate, new RecordedRun(), async (name) => {
    const machine = new ScriptedMachine(name, () => 0, { dial })
    return Object.assign(machine, { dialled })
  })
  const url = `postgresql://shop_app:${password}@${address}/shop?sslmode=disable`
  const found = await findRoute(hosts, estate.app('shop'), { DATABASE_URL: url }, endpoints)
  return { found, dialled, talks }
}

const pgbouncer: Query = () => [{ version: 'PgBouncer 1.24.1' }]
const nobody: Query = () => {
  throw new Error('unrecognized configuration parameter "version"')
}

describe('an address that the inventory does not know', () => {
  test('is a pooler when its console answers', async () => {
    const { found, dialled, talks } = await route('proxy.example:5433', pgbouncer)
    expect(found).toMatchObject({ server: undefined, pooler: 'it answers as pgbouncer' })
    expect(dialled).toEqual(['proxy.example:5433'])
    expect(talks).toMatchObject([{ database: 'pgbouncer', queries: ['show version'] }])
  })

  test('or when that says what pgbouncer says to those who are not its administrators', async () => {
    const { found } = await route('proxy.example:5433', pgbouncer, 'not allowed')
    expect(found?.pooler).toBe('it answers as pgbouncer')
  })

  test('is none when PostgreSQL answers', async () => {
    const missing = await route('proxy.example:5433', pgbouncer, 'database "pgbouncer" does not exist')
    expect(missing.found).toMatchObject({ server: undefined, pooler: undefined })
    const created = await route('proxy.example:5433', nobody)
    expect(created.found).toMatchObject({ pooler: undefined })
  })

  test('stays unknown when only the app’s own network knows it', async () => {
    const gone = new HostError('vm-app', 'forward', 'cannot open pgbouncer:5433 from there')
    expect((await route('pgbouncer:5433', gone)).found).toMatchObject({ pooler: undefined })
  })

  test('is an error when the machine is lost meanwhile', async () => {
    const lost = new HostError('vm-app', 'lost', 'the connection was lost')
    expect((await failure(route('proxy.example:5433', lost))).message).toContain('the connection was lost')
  })
})

test('what is known already is not asked', async () => {
  expect((await route('192.0.2.1:5432', pgbouncer)).dialled).toEqual([])
  expect((await route('pgbouncer:6432', pgbouncer)).dialled).toEqual([])
})

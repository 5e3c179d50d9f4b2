import { expect, test } from 'vitest'

import { HostError } from '../../../lib/host/errors.ts'
import { task } from '../../../tasks/pg-status.ts'
import type { Call, Script } from '../doubles.ts'
import { answerTo } from '../postgres/psql.ts'
import { shopEstate, shopInventory } from '../postgres/reset/shop.ts'
import { play } from './play.ts'

const receives = {
  application: '17/main',
  address: '192.0.2.2',
  state: 'streaming',
  sync: 'async',
  bytesBehind: 0,
  secondsBehind: null,
  silent: 1,
}
const facts = {
  version: '17.6',
  role: 'primary',
  uptime: 60,
  position: 1000,
  maxConnections: 100,
  freezeMaxAge: 200_000_000,
  databases: [
    {
      facts: {
        datname: 'shop',
        datlocprovider: 'c',
        datcollate: 'C',
        datctype: 'C',
        datallowconn: true,
        datconnlimit: -1,
        datistemplate: false,
      },
      oid: '16384',
      owner: 'shop_app',
      encoding: 'UTF8',
      tablespace: 'pg_default',
      comment: 'our shop [hausmeister environment=development]',
      bytes: 8_000_000,
    },
  ],
  ages: [{ database: 'shop', age: 100 }],
  connections: [{ application: 'api', role: 'shop_app', count: 4 }],
  standbys: [receives],
  slots: [],
  receiver: null,
  received: null,
  lastReplay: null,
  transactions: [],
}
const standby = {
  ...facts,
  role: 'standby',
  standbys: [],
  receiver: { state: 'streaming', from: 'pg-1:5432', slot: null, silent: 1 },
  received: 1000,
  lastReplay: 5,
}

type Facts = Omit<typeof facts, 'receiver' | 'received' | 'lastReplay'>

/** A machine with a server that says this of itself; undefined: that machine does not answer. */
function machine(name: string, said: Facts | undefined): Script {
  return async (call: Call) => {
    if (!said) throw new HostError(name, 'unreachable', 'no answer')
    if (call.script.includes('ls -d')) call.say('1_init/\n2_size/\n')
    if (!call.script.includes('psql')) return 0
    expect(call.script).toContain('default_transaction_read_only=on')
    const answer = (text: string): unknown[] => {
      if (text.includes('pg_postmaster_start_time')) return [said]
      if (text.includes('pg_stat_user_tables')) return []
      if (text.includes("relname = '_prisma_migrations'")) return [{ schema: 'public' }]
      if (text.includes('"public"._prisma_migrations'))
        return [{ name: '1_init', state: 'applied', log: null }]
      throw new Error(`unexpected: ${text}`)
    }
    call.say(answerTo(await call.input(), answer) ?? '')
    return 0
  }
}

const machines = (all: Record<string, Facts | undefined>) => (name: string) =>
  machine(name, name in all ? all[name] : facts)

test('one primary and its standby: what they said, once as data and once as text; nothing is changed', async () => {
  const played = await play(task, await shopEstate(), {}, machines({ 'pg-2': standby }))
  expect(played.error).toBeUndefined()
  expect(played.changes).toEqual([])
  expect(played.told).toContain('pg-1: primary, PostgreSQL 17.6')
  expect(played.told).toContain('pg-2: standby, PostgreSQL 17.6')
  expect(played.told).toContain('migrations: 1 applied, 0 failed, 1 pending (2_size)')
  const data = played.events.flatMap((event) => (event.event === 'data' ? [event.data] : []))
  expect(data).toMatchObject([
    {
      cluster: 'main',
      servers: [{ name: 'pg-1', role: 'primary' }, { name: 'pg-2' }],
      databases: [{ name: 'shop', mark: 'development', pending: ['2_size'] }],
      warnings: [],
    },
  ])
})

test('a machine that does not answer is named, and the rest is shown', async () => {
  const { error, told } = await play(task, await shopEstate(), {}, machines({ 'pg-2': undefined }))
  expect(error).toBeUndefined()
  expect(told).toContain('pg-1: primary')
  expect(told).toContain('no answer: pg-2: no answer')
})

test('the app’s machine is down: what is pending is not known, and said so', async () => {
  const silent = machines({ 'pg-2': standby, 'vm-app': undefined })
  const { error, told } = await play(task, await shopEstate(), {}, silent)
  expect(error).toBeUndefined()
  expect(told).toContain('migrations: 1 applied, 0 failed\n')
  expect(told).toContain('not known of shop: pending migrations: vm-app: no answer')
})

test('only the standby answers: the databases are read there', async () => {
  const { error, told } = await play(
    task,
    await shopEstate(),
    {},
    machines({ 'pg-1': undefined, 'pg-2': standby }),
  )
  expect(error).toBeUndefined()
  expect(told).toContain('shop: development, 7.6 MB')
})

test('two primaries: both are shown, and it is an error', async () => {
  const { error, told } = await play(task, await shopEstate(), {}, machines({}))
  expect(error).toMatchObject({
    code: 1,
    message: expect.stringContaining('two primaries in main: pg-1 and pg-2'),
  })
  expect(told).toContain('pg-2: primary')
})

test('nobody of one cluster answers: the other one is shown, exit code 3', async () => {
  const estate = await shopEstate({
    'postgres/other': { ...shopInventory.postgres.main, hosts: ['pg-3'], databases: {} },
    'hosts/pg-3': { addresses: { lan: '192.0.2.3' } },
  })
  const silent = machines({ 'pg-1': undefined, 'pg-2': undefined })
  const { error, told } = await play(task, estate, {}, silent)
  expect(error).toMatchObject({
    code: 3,
    message: 'nobody of main answered: pg-1: no answer; pg-2: no answer',
  })
  expect(told).toContain('pg-3: primary')
  expect((await play(task, estate, { cluster: 'other' }, silent)).error).toBeUndefined()
})

test('an estate without a cluster, and a cluster that is not in it', async () => {
  const none = await shopEstate({ postgres: {}, apps: {} })
  expect((await play(task, none, {}, machines({}))).error).toMatchObject({ code: 2 })
  const { error } = await play(task, await shopEstate(), { cluster: 'mian' }, machines({}))
  expect(error).toMatchObject({ code: 2, message: expect.stringContaining('"main"') })
})

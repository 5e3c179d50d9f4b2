import { expect, test } from 'vitest'

import { statusData } from '../../../../lib/postgres/status/data.ts'
import { describeStatus } from '../../../../lib/postgres/status/report.ts'
import { database, primary, shop, standby, well } from './sample.ts'

test('a cluster with which all is well', () => {
  expect(describeStatus(well).split('\n')).toEqual([
    'main',
    '  pg-1: primary, PostgreSQL 17.6, up 2 h 0 min',
    '    connections: 4 of 100: 4 × api as shop_app',
    '    databases: shop 8.0 MB',
    '    oldest for vacuum: shop, 10.0 % of autovacuum_freeze_max_age',
    '    standby 17/main at 192.0.2.2: streaming, async, not behind, heard 3.0 s ago',
    '    slot pg_2: physical, active, keeps 0 bytes of log',
    '  pg-2: standby, PostgreSQL 17.6, up 2 h 0 min',
    '    connections: 0 of 100',
    '    databases: shop 8.0 MB',
    '    oldest for vacuum: shop, 10.0 % of autovacuum_freeze_max_age',
    '    receiver: streaming from pg-1:5432 by slot pg_2, last message 5.0 s ago',
    '    replay: 0 bytes are received and not replayed, last commit 1 min 0 s ago',
    '    against pg-1: not behind',
    '  shop: development, 8.0 MB',
    '    migrations: 4 applied, 0 failed, 0 pending',
  ])
})

test('a standby that was cut off says what it has, and how far the primary is by now', () => {
  const [receives] = primary.standbys
  if (!receives) throw new Error('no standby')
  const text = describeStatus({
    ...well,
    servers: [
      { ...primary, position: 5_000_000, standbys: [{ ...receives, bytesBehind: 2048, secondsBehind: 1.5 }] },
      { ...standby, receiver: null, received: 3048, position: 2024 },
    ],
  })
  expect(text).toContain('streaming, async, 2.0 kB behind (1.5 s), heard 3.0 s ago')
  expect(text).toContain('receiver: none')
  expect(text).toContain('replay: 1.0 kB are received and not replayed')
  expect(text).toContain('against pg-1: 4.8 MB behind')
})

test('a database with a past', () => {
  const kept = database('shop__before_reset_20261101T000000Z')
  const text = describeStatus({
    ...well,
    databases: [
      {
        ...shop,
        mark: null,
        kept: [{ kind: 'before_reset', time: '20261101T000000Z', facts: kept }],
        failed: [{ name: '4_size', state: 'failed', log: null }],
        pending: ['4_size', '5_next'],
        deadRows: [{ table: 'public.orders', live: 100, dead: 900, vacuumed: null }],
      },
      { ...shop, name: 'blog', bytes: null },
    ],
    silent: [{ name: 'pg-3', reason: 'pg-3: no route', code: 3 }],
  })
  expect(text.split('\n').slice(-6)).toEqual([
    '  pg-3: no answer',
    '  shop: development, not marked, 8.0 MB',
    '    migrations: 4 applied, 1 failed (4_size), 2 pending (4_size, 5_next)',
    '    dead rows: public.orders 900 beside 100 live ones',
    '    kept copy: shop__before_reset_20261101T000000Z, 8.0 MB',
    '  blog: development, not there',
  ])
})

test('as data: ages stand with their databases, and nothing of our own types is left', () => {
  const data = statusData(well, ['careful'])
  expect(data).toMatchObject({
    cluster: 'main',
    warnings: ['careful'],
    silent: [],
    databases: [{ name: 'shop', unfinishedReset: null, pending: [], kept: [] }],
  })
  expect(data.servers[0]?.databases[0]).toEqual({
    name: 'shop',
    owner: 'shop_app',
    bytes: 8 * 2 ** 20,
    allowsConnections: true,
    age: 20_000_000,
  })
  expect(data.servers[0]).not.toHaveProperty('ages')
})

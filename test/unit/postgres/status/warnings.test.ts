import { describe, expect, test } from 'vitest'

import type { ClusterStatus, DatabaseStatus, ServerStatus } from '../../../../lib/postgres/status/survey.ts'
import { statusWarnings } from '../../../../lib/postgres/status/warnings.ts'
import { database, primary, shop, standby, well } from './sample.ts'

function warnings(status: Partial<ClusterStatus>, version?: number): string[] {
  return statusWarnings({ ...well, ...status }, version, ({ name }) => `pg-reset --undo ${name}`)
}

const first = (given: Partial<ServerStatus>) => warnings({ servers: [{ ...primary, ...given }, standby] })
const second = (given: Partial<ServerStatus>) => warnings({ servers: [primary, { ...standby, ...given }] })
const inside = (given: Partial<DatabaseStatus>) => warnings({ databases: [{ ...shop, ...given }] })
const taken = (count: number) => [{ application: 'api', role: 'shop_app', count }]
const [receives] = primary.standbys

test('none when all is well', () => {
  expect(warnings({}, 17)).toEqual([])
})

describe('servers', () => {
  test('one that does not answer, with the reason', () => {
    expect(
      warnings({ silent: [{ name: 'pg-2', reason: 'pg-2: no route to 192.0.2.2:22', code: 3 }] }),
    ).toEqual(['no answer: pg-2: no route to 192.0.2.2:22'])
  })

  test('another major version than the inventory says', () => {
    expect(warnings({ servers: [primary] }, 15)).toEqual([
      'pg-1 has PostgreSQL 17.6, and the inventory says 15',
    ])
  })

  test('connections run out, at more than four fifths', () => {
    expect(first({ connections: taken(80) })).toEqual([])
    expect(first({ connections: taken(81) })).toEqual(['81 of 100 connections of pg-1 are taken'])
  })

  test('a standby that is not streaming, or says nothing any more', () => {
    if (!receives) throw new Error('no standby')
    expect(first({ standbys: [{ ...receives, state: 'catchup' }] })).toEqual([
      '17/main (192.0.2.2) receives from pg-1, and is in the state catchup',
    ])
    expect(first({ standbys: [{ ...receives, silent: 42 }] })).toEqual([
      'pg-1 has heard nothing from 17/main (192.0.2.2) for 42.0 s',
    ])
  })

  test('what a role may not see is no reason to warn', () => {
    if (!receives) throw new Error('no standby')
    expect(first({ standbys: [{ ...receives, state: null, silent: null, bytesBehind: null }] })).toEqual([])
  })

  test('slots that nobody uses, and those that have lost what they keep', () => {
    const slot = { name: 'old', kind: 'physical', active: false, retained: 3 * 2 ** 30, wal: 'extended' }
    expect(first({ slots: [slot] })).toEqual([
      "slot old on pg-1 is used by nobody and keeps 3.0 GB of log; if its receiver is gone for good: select pg_drop_replication_slot('old')",
    ])
    expect(first({ slots: [{ ...slot, wal: 'lost' }] })).toEqual([
      'slot old on pg-1 has lost what its receiver needs; that one must be rebuilt',
    ])
  })

  test('a standby that receives nothing: since when its data is old', () => {
    expect(second({ receiver: null, lastReplay: 300 })).toEqual([
      'standby pg-2 receives from nobody; its last commit is 5 min 0 s old',
    ])
    const waiting = { state: 'waiting', from: 'pg-1:5432', slot: null, silent: 2 }
    expect(second({ receiver: waiting, lastReplay: null })).toEqual([
      'standby pg-2 is not streaming from pg-1:5432 (waiting); no commit was replayed since it started',
    ])
    expect(second({ receiver: { ...waiting, state: 'streaming', silent: 61 } })).toEqual([
      'standby pg-2 has heard nothing from pg-1:5432 for 1 min 1 s; its last commit is 1 min 0 s old',
    ])
  })

  test('a standby that has not noticed that its primary does not know it any more', () => {
    expect(first({ standbys: [] })).toEqual([
      'standby pg-2 believes that it receives, and pg-1 sends its log to nobody',
    ])
    expect(warnings({ servers: [{ ...primary, standbys: [] }] })).toEqual([])
    expect(warnings({ servers: [standby] })).toEqual([])
  })

  test('a transaction that is open for five minutes, and none that is younger', () => {
    const open = { pid: 7, application: 'api', role: 'shop_app', database: 'shop' }
    const idle = { ...open, state: 'idle in transaction' }
    expect(first({ transactions: [{ ...idle, age: 299 }] })).toEqual([])
    expect(first({ transactions: [{ ...idle, age: 300 }] })).toEqual([
      'api as shop_app has had a transaction open in shop on pg-1 for 5 min 0 s (pid 7, idle in transaction)',
    ])
  })

  test('a database that vacuum does not get to', () => {
    expect(first({ ages: [{ database: 'shop', age: 200_000_000 }] })).toEqual([])
    expect(first({ ages: [{ database: 'shop', age: 200_000_001 }] })).toEqual([
      'shop on pg-1 is 200000001 transactions old, more than autovacuum_freeze_max_age (200000000): autovacuum does not get through',
    ])
  })
})

describe('databases', () => {
  test('one that is not there', () => {
    expect(inside({ bytes: null })).toEqual(['main has no database shop'])
  })

  test('the mark against the inventory; no mark is no contradiction', () => {
    expect(inside({ mark: null })).toEqual([])
    expect(inside({ mark: 'production' })).toEqual([
      'the inventory says that shop is development, and it says itself that it is production',
    ])
  })

  test('a reset that did not finish, with the command that repairs it', () => {
    const old = database('shop__before_reset_20261121T021411Z')
    expect(inside({ bytes: null, unfinished: { state: 'renamed', old, half: undefined } })).toEqual([
      'a reset of shop did not finish: the old database is kept as shop__before_reset_20261121T021411Z; repair: pg-reset --undo shop',
    ])
    expect(inside({ unfinished: { state: 'door closed', database: database('shop') } })).toEqual([
      'a reset of shop did not finish: it accepts no connections; repair: pg-reset --undo shop',
    ])
  })

  test('failed migrations, with what the server said; pending ones are no fault', () => {
    expect(inside({ pending: ['5_next'] })).toEqual([])
    expect(
      inside({ failed: [{ name: '4_size', state: 'failed', log: 'ERROR: no column "size"\nmore' }] }),
    ).toEqual(['migration 4_size of shop has failed: ERROR: no column "size"'])
    expect(inside({ failed: [{ name: '4_size', state: 'failed', log: null }] })).toEqual([
      'migration 4_size of shop has failed',
    ])
  })

  test('what could not be asked', () => {
    expect(inside({ pending: null, gaps: ['pending migrations: vm-app: no answer'] })).toEqual([
      'not known of shop: pending migrations: vm-app: no answer',
    ])
  })
})

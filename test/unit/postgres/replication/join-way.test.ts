import { describe, expect, test } from 'vitest'

import { joinWay, obstacleOf } from '../../../../lib/postgres/replication/join-way.ts'
import type { Node } from '../../../../lib/postgres/replication/nodes.ts'
import { primary, standby, stopped } from './nodes-sample.ts'

const node = primary('pg-1', ['pg-2'])
if (!node.standing) throw new Error('a primary runs')
const history = [{ timeline: 1, at: '0/4000100' }]
const leader = { node, standing: node.standing, history }
const way = (other: Node, rebuild = false) => joinWay(leader, other, rebuild, 'rebuild it')

describe('a machine joins', () => {
  test('by following, when it runs as a standby, or did so last', () => {
    expect(way(standby('pg-2'))).toEqual({ way: 'follow' })
    expect(way(stopped('pg-2', { state: 'shut down in recovery' }))).toEqual({ way: 'follow' })
  })

  test('by following, when it was the primary before and stopped in good order', () => {
    expect(way(stopped('pg-2', { state: 'shut down', timeline: 1, checkpoint: '0/4000088' }))).toEqual({
      way: 'follow',
    })
    // It crashed: how far it had come shows when it runs as a standby.
    expect(way(stopped('pg-2', { state: 'in production', timeline: 1, checkpoint: '0/3000000' }))).toEqual({
      way: 'follow',
    })
  })

  test('by a copy, when it has no data, or that of another cluster', () => {
    expect(way(stopped('pg-2', undefined))).toMatchObject({ way: 'build', old: 'none' })
    expect(way(stopped('pg-2', { system: '1' }))).toMatchObject({ way: 'build', old: 'of another cluster' })
    expect(way(standby('pg-2'), true)).toMatchObject({ way: 'build', old: 'its own' })
    expect(way(stopped('pg-2', { system: '1' }), true)).toMatchObject({ old: 'of another cluster' })
  })
})

describe('a machine is refused', () => {
  test.each([
    ['a primary of its own', primary('pg-2'), /runs a primary of its own .*databases postgres, shop/],
    [
      'another major version',
      { ...standby('pg-2'), instance: { ...standby('pg-2').instance, version: 15 } },
      /has PostgreSQL 15, and the primary pg-1 runs 17/,
    ],
    [
      'files that are not PostgreSQL’s',
      stopped('pg-2', undefined, { data: 'not PostgreSQL' }),
      /holds files/,
    ],
    [
      'a running server of another cluster',
      { ...stopped('pg-2', { system: '1' }, { state: 'active' }) },
      /another cluster/,
    ],
    [
      'a rewind that was cut off',
      stopped('pg-2', undefined, { left: ['rewinding'] }),
      /rewind of it was cut off/,
    ],
    [
      'a copy of the disk that was a primary on this timeline',
      stopped('pg-2', { state: 'in production' }),
      /was a primary itself/,
    ],
    [
      'a primary whose end lies before the fork',
      stopped('pg-2', { state: 'shut down', timeline: 1, checkpoint: '0/3000000' }),
      /life of its own/,
    ],
    [
      'a primary on a timeline that the other never was on',
      stopped('pg-2', { state: 'shut down', timeline: 7 }),
      /never was on it/,
    ],
  ])('%s', (_, other, message) => {
    expect(() => way(other)).toThrow(message)
  })
})

function obstacle(its: Parameters<typeof standby>[1], own = history) {
  const { standing } = standby('pg-2', its)
  if (!standing) throw new Error('a standby runs')
  return obstacleOf(leader, standing, own, 'pg_2')
}

describe('a standby that does not follow', () => {
  test('may still be on its way', () => {
    expect(obstacle({ lsn: '0/4800000' })).toBeUndefined()
  })

  test('has gone on where the primary had left: what it received counts, not what it replayed', () => {
    expect(obstacle({ timeline: 1, lsn: '0/4000000', received: '0/4000200' }, [])).toEqual({
      is: 'diverged',
      at: '0/4000100',
      bytes: 256,
      timeline: 1,
    })
  })

  test('comes too late for the WAL that it needs', () => {
    expect(obstacle({ lsn: '0/2000000' })).toMatchObject({ is: 'too late', needs: '0/2000000' })
    leader.standing.slots.push({
      name: 'pg_2',
      kind: 'physical',
      active: false,
      wal: 'lost',
      address: null,
      application: null,
    })
    expect(obstacle({ lsn: '0/4800000' })).toMatchObject({ is: 'too late' })
    leader.standing.slots.pop()
  })
})

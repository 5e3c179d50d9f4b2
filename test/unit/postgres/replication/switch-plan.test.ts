import { describe, expect, test } from 'vitest'

import type { Node } from '../../../../lib/postgres/replication/nodes.ts'
import { planSwitch, targetOf } from '../../../../lib/postgres/replication/switch-plan.ts'
import { primary, standby, stopped } from './nodes-sample.ts'

const silentOne = { name: 'pg-1', why: 'pg-1: no answer' }

function plan(nodes: Node[], to: string, silent = [] as { name: string; why: string }[]) {
  const node = targetOf({ nodes, silent }, to)
  const { way, ...who } = planSwitch({ nodes, silent }, node, (host) => `pg-replica --host ${host}`)
  return 'from' in who ? `${way} ${who.from.name} ${who.to.name}` : `${way} ${who.to.name}`
}

test('a healthy pair is switched; whoever is the primary already is only joined', () => {
  const pair = [primary('pg-1', ['pg-2']), standby('pg-2')]
  expect(plan(pair, 'pg-2')).toBe('switch pg-1 pg-2')
  expect(plan(pair, 'pg-1')).toBe('rejoin pg-1')
  expect(targetOf({ nodes: pair, silent: [] }, undefined).name).toBe('pg-2')
})

test('without --to, two standbys are a question, and none is an error', () => {
  const nodes = [primary('pg-1'), standby('pg-2'), standby('pg-3')]
  expect(() => targetOf({ nodes, silent: [] }, undefined)).toThrow(/there are 2 standbys/)
  expect(() => targetOf({ nodes: [primary('pg-1')], silent: [] }, undefined)).toThrow(/no standby that runs/)
})

describe('refused, with the old primary still in place:', () => {
  test.each([
    [
      'a standby that lags',
      [primary('pg-1', ['pg-2'], { lsn: '0/7000000' }), standby('pg-2', { lsn: '0/5000000' })],
      /is 32.0 MB \(33554432 bytes\) behind/,
    ],
    [
      'one whose receiver is not there',
      [primary('pg-1', ['pg-2']), standby('pg-2', { receiver: null })],
      /does not stream/,
    ],
    [
      'one that the primary does not feed',
      [primary('pg-1', ['pg-3']), standby('pg-2')],
      /which sends it nothing/,
    ],
    [
      'one that is stopped',
      [primary('pg-1'), stopped('pg-2', { state: 'shut down in recovery' })],
      /is stopped .* no standby of pg-1/,
    ],
    ['two primaries', [primary('pg-1'), primary('pg-2')], /two primaries/],
  ])('%s', (_, nodes, message) => {
    expect(() => plan(nodes, 'pg-2')).toThrow(message)
  })

  test('a third machine that does not answer', () => {
    const nodes = [primary('pg-1', ['pg-2']), standby('pg-2')]
    expect(() => plan(nodes, 'pg-2', [{ name: 'pg-3', why: 'pg-3: no answer' }])).toThrow(/pg-3: no answer/)
  })
})

describe('after a run that was cut off', () => {
  const end = { state: 'shut down', checkpoint: '0/5000000' }

  test('the standby is past the last record of the stopped primary: on with it', () => {
    expect(plan([stopped('pg-1', end), standby('pg-2', { lsn: '0/5000078' })], 'pg-2')).toBe(
      'resume pg-1 pg-2',
    )
  })

  test('the standby is at the beginning of that record, not past it: the primary comes back', () => {
    expect(plan([stopped('pg-1', end), standby('pg-2', { lsn: '0/5000000' })], 'pg-2')).toBe(
      'revive pg-1 pg-2',
    )
  })

  test('the standby is on another timeline: the primary comes back', () => {
    const other = standby('pg-2', { lsn: '0/9000000', timeline: 1 })
    expect(plan([stopped('pg-1', end), other], 'pg-2')).toBe('revive pg-1 pg-2')
  })

  test('both are standbys: the one that has all, and no other', () => {
    const pair = [standby('pg-1', { lsn: '0/5000100' }), standby('pg-2', { lsn: '0/5000000' })]
    expect(plan(pair, 'pg-1')).toBe('resume pg-2 pg-1')
    expect(() => plan(pair, 'pg-2')).toThrow(/pg-1 has more than pg-2/)
  })

  test('nobody is promoted while one does not answer, or was stopped by a crash', () => {
    expect(() => plan([standby('pg-2')], 'pg-2', [silentOne])).toThrow(
      /it may be one of those that do not answer/,
    )
    expect(() => plan([stopped('pg-1', { state: 'in production' }), standby('pg-2')], 'pg-2')).toThrow(
      /no primary was found/,
    )
  })
})

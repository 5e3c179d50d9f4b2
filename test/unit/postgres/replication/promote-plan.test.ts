import { describe, expect, test } from 'vitest'

import type { Node } from '../../../../lib/postgres/replication/nodes.ts'
import { describeLoss, planPromotion } from '../../../../lib/postgres/replication/promote-plan.ts'
import { targetOf } from '../../../../lib/postgres/replication/switch-plan.ts'
import { primary, standby, stopped } from './nodes-sample.ts'

const gone = [{ name: 'pg-1', why: 'pg-1: no answer' }]

function plan(nodes: Node[], silent = gone) {
  return planPromotion({ nodes, silent }, targetOf({ nodes, silent }, 'pg-2'), 'pg-switchover')
}

test('a standby whose primary is silent is promoted', () => {
  expect(plan([standby('pg-2')])).toMatchObject({ way: 'promote', gone: ['pg-1'] })
  expect(plan([standby('pg-2'), standby('pg-3')])).toMatchObject({ way: 'promote', gone: ['pg-1'] })
})

describe('refused:', () => {
  test.each([
    [
      'the primary answers',
      [primary('pg-1', ['pg-2']), standby('pg-2')],
      [],
      /pg-1 answers, and is the primary/,
    ],
    [
      'it answers by SSH only',
      [stopped('pg-1', { state: 'in production' }), standby('pg-2')],
      [],
      /answers by SSH/,
    ],
    ['nobody is missing', [standby('pg-1'), standby('pg-2')], [], /no machine is missing/],
    [
      'the standby is stopped',
      [stopped('pg-2', { state: 'shut down in recovery' })],
      gone,
      /only a standby that runs/,
    ],
    [
      'another one has more',
      [standby('pg-2'), standby('pg-3', { lsn: '0/5000001' })],
      gone,
      /pg-3 has received more/,
    ],
  ])('%s', (_, nodes, silent, message) => {
    expect(() => plan(nodes, silent)).toThrow(message)
  })
})

describe('the standby was promoted before, and the old primary is back:', () => {
  const promotion = { from: 'pg-1', timeline: 3, at: '2026-11-24T00:00:00Z', lsn: '0/5000000' }
  const leader = primary('pg-2', [], { timeline: 3 }, { promotion })
  const returned = (node: Node) => {
    const found = plan([node, leader], [])
    return found.way === 'fence' ? found.returned.map(({ name }) => name) : found.way
  }

  test('it takes writes, or would: it is fenced', () => {
    expect(returned(primary('pg-1', [], { timeline: 2 }))).toEqual(['pg-1'])
    expect(returned(stopped('pg-1', { state: 'in production', timeline: 2 }))).toEqual(['pg-1'])
  })

  test('it is a standby, or would be, or another cluster’s: it is left alone', () => {
    expect(returned(standby('pg-1'))).toEqual([])
    expect(returned(stopped('pg-1', { state: 'in production' }, { standbySignal: true }))).toEqual([])
    expect(returned(stopped('pg-1', { state: 'in production', system: '1' }))).toEqual([])
    expect(returned(primary('pg-1', [], { system: '1', timeline: 2 }))).toEqual([])
  })

  test('nobody’s word says which one it is: not fenced', () => {
    const byHand = primary('pg-2', [], { timeline: 3 })
    expect(planPromotion({ nodes: [primary('pg-1'), byHand], silent: [] }, byHand, '')).toMatchObject({
      returned: [],
    })
  })
})

test('says what could be lost, as far as it can be known', () => {
  const told = standby('pg-2', { received: '0/5000000' })
  if (told.standing?.receiver) told.standing.receiver.told = '0/5000190'
  expect(describeLoss(told, ['pg-1'])).toMatch(
    /1.0 s ago, it was at 0\/5000190: 400 bytes .* are missing for certain/,
  )
  expect(describeLoss(standby('pg-2', { receiver: null }), ['pg-1'])).toMatch(/not known any more/)
})

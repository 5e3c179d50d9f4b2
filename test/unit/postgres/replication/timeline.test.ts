import { describe, expect, test } from 'vitest'

import { forkBehind, parseHistory } from '../../../../lib/postgres/replication/timeline.ts'

const first = { timeline: 1, at: '0/3000100' }
const second = { timeline: 2, at: '0/5000000' }

test('reads a history file, with its comments and reasons', () => {
  const text =
    '# switched\n1\t0/3000100\tno recovery target specified\n\n2\t0/5000000\tno recovery target specified\n'
  expect(parseHistory(text)).toEqual([first, second])
  expect(parseHistory('')).toEqual([])
})

describe('where a standby and the primary part', () => {
  const primary = { timeline: 3, lsn: '0/6000000', history: [first, second] }

  test.each([
    ['on the same timeline', { timeline: 3, lsn: '0/5000100', history: [first, second] }],
    [
      'ahead of what was last seen of the primary',
      { timeline: 3, lsn: '0/7000000', history: [first, second] },
    ],
    ['before the fork, on the old timeline', { timeline: 2, lsn: '0/4000000', history: [first] }],
    ['at the fork', { timeline: 2, lsn: '0/5000000', history: [first] }],
    ['two timelines behind', { timeline: 1, lsn: '0/3000000', history: [] }],
  ])('nowhere: %s', (_, standby) => {
    expect(forkBehind(standby, primary)).toBeUndefined()
  })

  test.each([
    [
      'it went on after the primary had left',
      { timeline: 2, lsn: '0/5000001', history: [first] },
      '0/5000000',
    ],
    ['it went on two promotions ago', { timeline: 1, lsn: '0/9000000', history: [] }, '0/3000100'],
    [
      'it was promoted itself, to a timeline of the same number',
      { timeline: 2, lsn: '0/4000000', history: [{ timeline: 1, at: '0/3000000' }] },
      '0/3000000',
    ],
    [
      'it was promoted from what the primary never had',
      { timeline: 2, lsn: '0/4000000', history: [{ timeline: 1, at: '0/3000200' }] },
      '0/3000100',
    ],
  ])('%s', (_, standby, at) => {
    expect(forkBehind(standby, primary)).toBe(at)
  })

  test('it was promoted, and the primary never was', () => {
    const standby = { timeline: 2, lsn: '0/4000000', history: [first] }
    expect(forkBehind(standby, { timeline: 1, lsn: '0/3500000', history: [] })).toBe('0/3000100')
  })
})

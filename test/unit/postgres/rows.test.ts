import { expect, test } from 'vitest'

import { describeCounts, refuseEmpty, refuseUnreadable } from '../../../lib/postgres/rows.ts'

test('what differs stands first, a line each; what does not is in the last one', () => {
  const before = { 'public.a': 0, 'public.b': 7, 'public.c': 100_000, 'public.d': 1 }
  const after = { 'public.a': 3, 'public.b': 7, 'public.c': 100_000, 'public.e': 2 }
  expect(describeCounts(before, after)).toEqual([
    'public.a 0 → 3',
    'public.d 1 → not there',
    'public.e not there → 2',
    'as before: public.b 7, public.c 100000 or more',
  ])
  expect(describeCounts({ a: 1 }, { a: 2 })).toEqual(['a 1 → 2'])
  expect(describeCounts({}, {})).toEqual([])
})

test('a database without a row is no success', () => {
  expect(() => refuseEmpty('shop', { a: 0, b: 1 })).not.toThrow()
  expect(() => refuseEmpty('shop', { a: 0 })).toThrow('no table of shop has a row')
})

test('a database whose tables cannot be read is found out before', () => {
  expect(() => refuseUnreadable('shop', 'shop_app', { a: 0 })).not.toThrow()
  expect(() => refuseUnreadable('shop', 'shop_app', {})).toThrow('no table that our role may read')
})

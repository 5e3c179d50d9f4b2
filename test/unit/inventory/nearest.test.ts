import { expect, test } from 'vitest'

import { nearest, suggestion } from '../../../lib/inventory/nearest.ts'

test.each([
  ['pg-primry', ['pg-replica', 'pg-primary'], 'pg-primary'],
  ['PG_Primary', ['pg-primary'], 'pg-primary'],
  ['pev', ['pve', 'pbs'], 'pve'],
  ['host', ['port'], undefined],
  ['x', ['a', 'b'], undefined],
  ['', ['a'], undefined],
  ['weltenwnd', [], undefined],
])('%s among %j is %s', (name, candidates, expected) => {
  expect(nearest(name, candidates)).toBe(expected)
})

test('a suggestion is the nearest, else what there is, cut when it is much', () => {
  expect(suggestion('wbe', ['web', 'db'])).toBe('Did you mean "web"?')
  expect(suggestion('zzz', ['web', 'db'])).toBe('There are: web, db')
  expect(suggestion('zzz', [])).toBe('There is none yet')
  const many = Array.from({ length: 15 }, (_, index) => `host${index}`)
  expect(suggestion('zzz', many)).toMatch(/^There are: host0, .*host11 and 3 more$/)
})

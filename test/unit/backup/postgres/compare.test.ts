import { expect, test } from 'vitest'

import { differences } from '../../../../lib/backup/postgres/compare.ts'

const migrations = { applied: ['1_first', '2_second'], failed: [] }
const dumped = { tables: { 'public.orders': 3, 'public.items': 0 }, migrations }

test('the same is the same, in whatever order', () => {
  const tables = { 'public.items': 0, 'public.orders': 3 }
  const found = { tables, migrations: { applied: ['2_second', '1_first'], failed: [] } }
  expect(differences(dumped, found)).toEqual([])
  expect(differences({ tables: {}, migrations: null }, { tables: {}, migrations: null })).toEqual([])
})

test('a table that is gone, grown, or new, is told', () => {
  const tables = { 'public.orders': 2, 'public.extra': 1 }
  expect(differences(dumped, { tables, migrations })).toEqual([
    'public.extra was not dumped, and is there',
    'public.items is missing, with its 0 rows',
    'public.orders has 2 rows, and had 3',
  ])
})

test('so are migrations', () => {
  const { tables } = dumped
  expect(differences(dumped, { tables, migrations: null })).toEqual([
    'migrations are none, and were 1_first, 2_second',
  ])
  const failed = { applied: ['1_first'], failed: ['2_second'] }
  expect(differences(dumped, { tables, migrations: failed })).toEqual([
    'migrations are 1_first, 2_second (failed), and were 1_first, 2_second',
  ])
})

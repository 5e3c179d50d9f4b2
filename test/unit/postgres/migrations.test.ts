import { expect, test } from 'vitest'

import { failedMigrations, type Migration, pendingMigrations } from '../../../lib/postgres/migrations.ts'

function row(name: string, state: Migration['state']): Migration {
  return { name, state, log: state === 'failed' ? 'ERROR: column "size" does not exist' : null }
}

test('pending: what the folder has and the database has not applied, in the order of the folder', () => {
  const applied = [row('1_init', 'applied'), row('2_size', 'failed'), row('3_old', 'rolled back')]
  expect(pendingMigrations(['1_init', '2_size', '3_old', '4_new'], applied)).toEqual([
    '2_size',
    '3_old',
    '4_new',
  ])
  expect(pendingMigrations(['1_init'], [])).toEqual(['1_init'])
  expect(pendingMigrations([], applied)).toEqual([])
})

test('failed: not those that were rolled back, nor those that went well at last', () => {
  const all = [
    row('1_init', 'failed'),
    row('1_init', 'applied'),
    row('2_size', 'rolled back'),
    row('3_name', 'failed'),
  ]
  expect(failedMigrations(all)).toEqual([row('3_name', 'failed')])
  expect(failedMigrations([])).toEqual([])
})

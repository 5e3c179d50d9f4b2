import { expect, test } from 'vitest'

import type { Environment } from '../../../../lib/inventory/inventory.ts'
import { promptFor } from '../../../../lib/postgres/shell/prompt.ts'

test.each<[Environment, string]>([
  ['production', '1;31'],
  ['staging', '1;33'],
  ['development', '1;32'],
  ['test', '1;32'],
])('%s is coloured %s, outside of what takes room', (environment, colour) => {
  expect(promptFor(environment, 'pg-1', true)).toBe(
    `%[%033[${colour}m%]${environment} %/@pg-1%R%x%#%[%033[0m%] `,
  )
})

test('without colours it says the same', () => {
  expect(promptFor('production', 'pg-1', false)).toBe('production %/@pg-1%R%x%# ')
})

test('where nobody says what it is, it does not either', () => {
  expect(promptFor(undefined, 'pg-1', true)).toBe('%/@pg-1%R%x%# ')
})

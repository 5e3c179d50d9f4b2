import { expect, test } from 'vitest'

import { isOurs, marked } from '../../../lib/rustfs/mark.ts'

test('a file of ours is known, and one that was changed is not', () => {
  const file = marked('KEY=1\n')
  expect(isOurs(file)).toBe(true)
  expect(isOurs(file.replace('KEY=1', 'KEY=2'))).toBe(false)
  expect(isOurs(`${file}OTHER=1\n`)).toBe(false)
  expect(isOurs('KEY=1\n')).toBe(false)
  expect(isOurs('')).toBe(false)
})

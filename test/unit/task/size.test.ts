import { expect, test } from 'vitest'

import { size } from '../../../lib/task/size.ts'

test.each([
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1024, '1.0 kB'],
  [7_500_000, '7.2 MB'],
  [200 * 2 ** 20, '200 MB'],
  [3.5 * 2 ** 40, '3.5 TB'],
  [2 ** 55, '32768 TB'],
])('%d bytes are %s', (bytes, text) => {
  expect(size(bytes)).toBe(text)
})

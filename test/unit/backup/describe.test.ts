import { expect, test } from 'vitest'

import { describeContents, describeProgress } from '../../../lib/backup/describe.ts'

const megabyte = 1024 * 1024

test('time that is left is guessed only from a whole to guess from', () => {
  const progress = { made: 50 * megabyte, stored: 0 }
  expect(describeProgress(progress, 5000, undefined)).toBe('50.0 MB, 10.0 MB/s')
  expect(describeProgress(progress, 5000, 80 * megabyte)).toBe('50.0 MB, 10.0 MB/s, about 3.0 s left')
  expect(describeProgress(progress, 5000, 40 * megabyte)).toBe('50.0 MB, 10.0 MB/s')
  expect(describeProgress({ made: 0, stored: 0 }, 5000, 40 * megabyte)).toBe('0 bytes, 0 bytes/s')
})

test('migrations are told where there are any', () => {
  const tables = { 'public.a': 2, 'public.b': 3 }
  expect(describeContents({ tables, migrations: null })).toBe('2 tables with 5 rows')
  expect(describeContents({ tables, migrations: { applied: ['1'], failed: [] } })).toBe(
    '2 tables with 5 rows, 1 migrations',
  )
})

import { expect, test } from 'vitest'

import {
  bytesAt,
  bytesBetween,
  Lsn,
  segmentOf,
  segmentOfFile,
} from '../../../../lib/postgres/replication/lsn.ts'

const file = 16 * 1024 ** 2

test('a position counts bytes across its two halves', () => {
  expect(bytesAt('0/0')).toBe(0n)
  expect(bytesAt('1/0')).toBe(4_294_967_296n)
  expect(bytesBetween('0/FFFFFFFF', '1/0')).toBe(1)
  expect(bytesBetween('1/0', '0/FFFFFFFF')).toBe(-1)
})

test('a position and the file that holds it have one number, on any timeline and across halves', () => {
  expect(segmentOf('0/2000060', file)).toBe(2n)
  expect(segmentOfFile('000000010000000000000002', file)).toBe(2n)
  expect(segmentOf('3/FF000000', file)).toBe(segmentOfFile('0000000700000003000000FF', file))
  expect(segmentOf('1/0', 1024 ** 3)).toBe(segmentOfFile('000000010000000100000000', 1024 ** 3))
})

test('what is no position is refused', () => {
  for (const text of ['', '0', '0/', 'x/1', '0/123456789']) expect(Lsn.safeParse(text).success).toBe(false)
})

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'

import { expect, test } from 'vitest'

import { Census } from '../../../lib/mongo/census.ts'
import { failure } from '../doubles.ts'
import { archiveOf } from './archives.ts'

const documents = Array.from({ length: 20_000 }, (_, index) => ({
  _id: index,
  text: Math.random().toString(36),
}))
const packed = gzipSync(archiveOf([{ name: 'users', documents }]))

async function pass(bytes: Buffer): Promise<{ census: Census; passed: Buffer }> {
  const census = await Census.open()
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 10_000) pieces.push(bytes.subarray(at, at + 10_000))
  const passed: Buffer[] = []
  await pipeline(Readable.from(pieces), census, async (stream: AsyncIterable<Buffer>) => {
    for await (const chunk of stream) passed.push(chunk)
  })
  return { census, passed: Buffer.concat(passed) }
}

test('the bytes come through as they were, and are counted', async () => {
  const { census, passed } = await pass(packed)
  expect(passed.equals(packed)).toBe(true)
  expect(census.contents?.collections).toEqual({
    users: { kind: 'collection', documents: 20_000, indexes: ['_id_'] },
  })
})

test.each([
  ['is cut off', packed.subarray(0, packed.length - 9), /unexpected end of file/],
  [
    'ends too soon, and is packed well',
    gzipSync(archiveOf([{ name: 'users', documents }]).subarray(0, 5000)),
    /ends in the middle/,
  ],
  ['is not packed', archiveOf([]), /incorrect header check/],
  ['is no archive', gzipSync('hello'), /no archive of mongodump/],
  ['is nothing', Buffer.of(), /unexpected end of file|ends in the middle/],
])('what %s fails', async (_, bytes, says) => {
  expect((await failure(pass(bytes))).message).toMatch(says)
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { Archive, type ArchiveContents } from '../../../lib/mongo/archive.ts'
import { failure } from '../doubles.ts'
import { archiveOf, entry, terminator } from './archives.ts'

async function read(bytes: Buffer, step = bytes.length): Promise<ArchiveContents> {
  const archive = await Archive.open()
  for (let at = 0; at < bytes.length; at += step) archive.push(bytes.subarray(at, at + step))
  return archive.end()
}

const whole = archiveOf([
  { name: 'users', documents: [{ _id: 1 }, { _id: 2, name: 'b' }, { _id: 3 }], indexes: ['name_1', '_id_'] },
  { name: 'empty', documents: [] },
  { name: 'orders', documents: [{ _id: 1 }] },
  { name: 'seen', documents: [], type: 'view', indexes: [] },
  { name: 'heat', documents: [{ _id: 1 }], type: 'timeseries', under: 'system.buckets.heat' },
])

const contents = {
  serverVersion: '7.0.14',
  collections: {
    users: { kind: 'collection', documents: 3, indexes: ['_id_', 'name_1'] },
    empty: { kind: 'collection', documents: 0, indexes: ['_id_'] },
    orders: { kind: 'collection', documents: 1, indexes: ['_id_'] },
    seen: { kind: 'view', documents: 0, indexes: [] },
    heat: { kind: 'timeseries', documents: 1, indexes: ['_id_'] },
  },
}

test('documents are counted, however the bytes arrive', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: whole.length }), async (step) => {
      expect(await read(whole, step)).toEqual(contents)
    }),
  )
})

test('it is no whole archive, wherever it is cut off', async () => {
  for (let length = 0; length < whole.length; length += 1) {
    expect(await failure(read(whole.subarray(0, length), length || 1))).toMatchObject({
      name: 'ArchiveError',
    })
  }
})

test('an archive of nothing is one', async () => {
  expect(await read(archiveOf([]))).toEqual({ serverVersion: '7.0.14', collections: {} })
})

describe('what is no archive', () => {
  const size = Buffer.alloc(4)
  size.writeUInt32LE(20 * 1024 * 1024)
  test.each([
    ['something else', Buffer.from('PGDMP etc.'), /no archive of mongodump/],
    ['an end without a beginning', Buffer.concat([whole, terminator]), /a block without a header/],
    [
      'a collection that is not listed',
      Buffer.concat([whole, entry('webapp', 'late', false), terminator]),
      /documents of late, which it does not list/,
    ],
    [
      'a collection after its end',
      Buffer.concat([whole, entry('webapp', 'users', false), terminator]),
      /goes on with users after its end/,
    ],
    [
      'a header that is none',
      Buffer.concat([whole, Buffer.from([5, 0, 0, 0, 0])]),
      /a header that cannot be read/,
    ],
    ['a document that is too large', Buffer.concat([whole, size]), /a document of 20971520 bytes/],
  ])('%s', async (_, bytes, says) => {
    expect((await failure(read(bytes))).message).toMatch(says)
  })
})

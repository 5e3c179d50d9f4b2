import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'

import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { expect, test } from 'vitest'

import { provePart, storePart } from '../../../lib/backup/part.ts'
import { unseal } from '../../../lib/backup/seal.ts'
import { rejection } from '../doubles.ts'

const identity = await generateX25519Identity()
const recipients = [await identityToRecipient(identity)]
const content = randomBytes(200_000)
const place = { at: 'e/postgres/main/shop/20261101T020000Z/', name: 'dump.age', recipients }
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** @param taken bytes, after which it fails */
function storeOf(taken = Infinity) {
  const kept = new Map<string, Buffer>()
  return {
    kept,
    writeStream: async (key: string, stream: Readable) => {
      const chunks: Buffer[] = []
      let bytes = 0
      for await (const chunk of stream) {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > taken) throw new Error('the store is full')
      }
      kept.set(key, Buffer.concat(chunks))
    },
    read: async (key: string) => Readable.from([kept.get(key) ?? Buffer.of()]),
  }
}

test('what is stored is what the part says, before and after', async () => {
  const store = storeOf()
  const part = await storePart(store, place, Readable.from([content]), 0)
  const stored = store.kept.get(`${place.at}dump.age`) ?? Buffer.of()
  expect(part).toEqual({
    name: 'dump.age',
    bytes: stored.length,
    sha256: sha256(stored),
    plain: { bytes: content.length, sha256: sha256(content) },
  })
  expect(Buffer.concat(await (await unseal(Readable.from([stored]), identity)).toArray())).toEqual(content)
  await provePart(store, place.at, part)
})

test('a store that gives back other bytes, or fewer, is found out', async () => {
  const store = storeOf()
  const part = await storePart(store, place, Readable.from([content]), 0)
  const key = `${place.at}dump.age`
  const stored = store.kept.get(key) ?? Buffer.of()
  const flipped = Buffer.from(stored)
  flipped.writeUInt8(flipped.readUInt8(1000) ^ 1, 1000)
  for (const bad of [flipped, stored.subarray(0, -1), Buffer.of()]) {
    store.kept.set(key, bad)
    expect(await rejection(provePart(store, place.at, part))).toMatchObject({
      message: `the store does not give back what it was given: ${key}`,
    })
  }
})

test('a machine that fails in the middle fails the upload', async () => {
  const store = storeOf()
  expect(await rejection(storePart(store, place, Readable.from(broken()), 0))).toMatchObject({
    message: 'the dump died',
  })
  expect(store.kept.size).toBe(0)
})

test('a store that fails ends what the machine is at', async () => {
  const endless = Readable.from(
    (function* () {
      for (;;) yield content
    })(),
  )
  expect(await rejection(storePart(storeOf(100_000), place, endless, 0))).toMatchObject({
    message: 'the store is full',
  })
  await expect.poll(() => endless.destroyed).toBe(true)
})

async function* broken(): AsyncGenerator<Buffer> {
  yield content
  throw new Error('the dump died')
}

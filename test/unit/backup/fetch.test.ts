import { randomBytes } from 'node:crypto'

import { beforeEach, expect, test } from 'vitest'

import { damageOf, openPart, OtherContent, readPart } from '../../../lib/backup/fetch.ts'
import type { Part } from '../../../lib/backup/manifest.ts'
import { failure } from '../doubles.ts'
import { ageKey, MemoryStore } from './shelf.ts'

const plain = randomBytes(300_000)
let store: MemoryStore
let key: { identity: string; recipient: string }
let part: Part

beforeEach(async () => {
  store = new MemoryStore()
  key = await ageKey()
  part = await store.put('at/', 'dump.age', plain, [key.recipient])
})

function change(how: (object: Buffer) => Buffer): void {
  store.objects.set('at/dump.age', how(Buffer.from(store.objects.get('at/dump.age') ?? '')))
}

async function read(): Promise<Buffer> {
  const chunks: Uint8Array[] = await (await openPart(store, 'at/', part, key.identity)).toArray()
  return Buffer.concat(chunks)
}

test('what was stored comes back, and its progress is told', async () => {
  expect((await read()).equals(plain)).toBe(true)
  const told: number[] = []
  await (await openPart(store, 'at/', part, key.identity, (bytes) => told.push(bytes))).resume().toArray()
  expect(told.at(-1)).toBe(plain.length)
  expect(await damageOf(store, 'at/', part)).toBeUndefined()
})

test('a small one whole', async () => {
  const small = await store.put('at/', 'globals.age', Buffer.from('CREATE ROLE x;\n'), [key.recipient])
  expect(await readPart(store, 'at/', small, key.identity)).toBe('CREATE ROLE x;\n')
})

test.each([0, 0.5, 0.999])(
  'one byte flipped at %d: no stream is whole, and the object is to blame',
  async (where) => {
    change((object) => {
      const at = Math.floor(object.length * where)
      object.writeUInt8(object.readUInt8(at) ^ 1, at)
      return object
    })
    await failure(read())
    expect(await damageOf(store, 'at/', part)).toMatch(
      /^dump\.age has the SHA-256 \w+, and its manifest says/,
    )
  },
)

test.each([1, 65_552, 200_000])('%d bytes cut off at its end: the same', async (bytes) => {
  change((object) => object.subarray(0, object.length - bytes))
  await failure(read())
  expect(await damageOf(store, 'at/', part)).toMatch(/^dump\.age has \d+ bytes, and its manifest says \d+$/)
})

test('another object in its place, sealed for us: its hash tells', async () => {
  await store.put('at/', 'dump.age', randomBytes(300_000), [key.recipient])
  expect((await failure(read())).message).toMatch(/^dump\.age has the SHA-256/)
})

test('a manifest that lies about the plain bytes is found out', async () => {
  part = { ...part, plain: { ...part.plain, sha256: '0'.repeat(64) } }
  const error = await failure(read())
  expect(error).toBeInstanceOf(OtherContent)
  expect(error.message).toMatch(/^dump\.age, decrypted, has the SHA-256/)
})

test('a store that breaks off is told as that, and the object is not to blame', async () => {
  store.cutAt = 100_000
  const cut = await failure(read())
  expect(cut.message).toBe('no answer from bucket test at http://store: ECONNRESET')
  expect((await failure(damageOf(store, 'at/', part))).message).toMatch(/ECONNRESET/)
})

test('another key does not open it, and what to do is told', async () => {
  key = await ageKey()
  expect(await failure(read())).toMatchObject({
    message: 'it does not open with our age key',
    next: expect.stringContaining('backup.identity'),
  })
})

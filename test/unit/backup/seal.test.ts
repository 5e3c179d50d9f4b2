import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { expect, test } from 'vitest'

import { Gauge } from '../../../lib/backup/gauge.ts'
import { recipientProblem, seal, unseal } from '../../../lib/backup/seal.ts'
import { rejection } from '../doubles.ts'

const identity = await generateX25519Identity()
const recipient = await identityToRecipient(identity)
const content = randomBytes(300_000)

async function sealed(...recipients: string[]): Promise<Buffer> {
  return all(await seal(Readable.from([content.subarray(0, 100), content.subarray(100)]), recipients))
}

async function all(stream: Readable): Promise<Buffer> {
  return Buffer.concat(await stream.toArray())
}

test('what was sealed is opened by each of its recipients, byte for byte', async () => {
  const other = await generateX25519Identity()
  const text = await sealed(recipient, await identityToRecipient(other))
  expect(text.subarray(0, 21).toString()).toBe('age-encryption.org/v1')
  for (const key of [identity, `# created: today\n${other}\n`]) {
    expect(await all(await unseal(Readable.from([text]), key))).toEqual(content)
  }
})

test('nothing is a whole, too', async () => {
  const text = await all(await seal(Readable.from([]), [recipient]))
  expect(await all(await unseal(Readable.from([text]), identity))).toHaveLength(0)
})

test('another key does not open it, and says what would', async () => {
  const text = await sealed(recipient)
  const error = await rejection(unseal(Readable.from([text]), await generateX25519Identity()))
  expect(error).toMatchObject({ message: 'it does not open with our age key', next: expect.any(String) })
})

test('one byte changed, or the end cut off, fails the stream', async () => {
  const text = await sealed(recipient)
  const flipped = Buffer.from(text)
  flipped.writeUInt8(flipped.readUInt8(150_000) ^ 1, 150_000)
  for (const bad of [flipped, text.subarray(0, 200_000), text.subarray(0, -1)]) {
    await rejection(all(await unseal(Readable.from([bad]), identity)))
  }
})

test('a source that fails fails what is sealed', async () => {
  const stream = await seal(Readable.from(broken()), [recipient])
  expect(await rejection(pipeline(stream, new Gauge().resume()))).toMatchObject({ message: 'the dump died' })
})

test('a reader that leaves ends the source', async () => {
  const source = Readable.from(
    (function* () {
      for (;;) yield content
    })(),
  )
  const stream = await seal(source, [recipient])
  await stream.take(1).toArray()
  await expect.poll(() => source.destroyed).toBe(true)
})

test('a recipient with a typo is told from a good one', async () => {
  expect(await recipientProblem(recipient)).toBeUndefined()
  expect(await recipientProblem(`${recipient.slice(0, -1)}${recipient.endsWith('q') ? 'p' : 'q'}`)).toMatch(
    /./,
  )
})

test('the gauge knows how much went by, and its SHA-256', async () => {
  const gauge = new Gauge()
  await pipeline(Readable.from([Buffer.from('a'), Buffer.from('bc')]), gauge.resume())
  expect([gauge.bytes, gauge.sha256()]).toEqual([
    3,
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  ])
})

async function* broken(): AsyncGenerator<Buffer> {
  yield content
  throw new Error('the dump died')
}

import { createServer, type Server, type Socket } from 'node:net'
import { Readable } from 'node:stream'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { backupOf } from '../../../lib/backup/target.ts'
import { errorBehind, HostError } from '../../../lib/host/errors.ts'
import { Store } from '../../../lib/s3/store.ts'
import { estateOf, RecordedRun, rejection } from '../doubles.ts'

/** A peer that takes connections and answers what a test says, or never. */
let server: Server
let endpoint: string
let answer: (text: string, socket: Socket) => void = () => {}
let heard: (text: string) => void = () => {}

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1')
      answer(text, socket)
      heard(text)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the server has no port')
  endpoint = `http://127.0.0.1:${address.port}`
})
afterAll(() => void server.close())

async function storeOf(run: RecordedRun): Promise<Store> {
  const estate = await estateOf(
    {
      backup: {
        store: { endpoint, bucket: 'backups', accessKey: 'env:ACCESS', secretKey: 'env:SECRET' },
        recipients: ['age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq'],
      },
    },
    { ACCESS: 'access', SECRET: 'secret' },
  )
  return new Store(estate, backupOf(estate).store, run)
}

/** Ctrl-C as soon as the peer has heard something. @returns what was thrown, and how long it took. Milliseconds */
async function cutOff(
  work: (store: Store) => Promise<unknown>,
  when: RegExp = /./,
): Promise<{ failure: string | undefined; ms: number }> {
  const run = new RecordedRun()
  let at = 0
  heard = (text) => {
    if (at !== 0 || !when.test(text)) return
    at = performance.now()
    run.controller.abort()
  }
  const error = await rejection(work(await storeOf(run)))
  const ms = performance.now() - at
  for (const close of run.closers) await close()
  return { failure: errorBehind(error, HostError)?.failure, ms }
}

test.each<[string, (store: Store) => Promise<unknown>]>([
  ['the bucket', (store) => store.hasBucket()],
  ['a list', (store) => store.list('')],
  ['open uploads', (store) => store.openUploads('')],
  ['an object', async (store) => (await store.read('key')).toArray()],
  ['a small object', (store) => store.writeText('key', 'text')],
  ['an upload', (store) => store.writeStream('key', endless(), 1e12)],
])('a peer that never answers for %s ends with the run', async (_, work) => {
  answer = () => {}
  const { failure, ms } = await cutOff(work)
  expect(failure).toBe('cancelled')
  expect(ms).toBeLessThan(1000)
})

test('one that stops in the middle of an object', async () => {
  answer = (_, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbeginning')
  const { failure, ms } = await cutOff(async (store) => {
    const body = await store.read('key')
    return body.toArray()
  })
  expect(failure).toBe('cancelled')
  expect(ms).toBeLessThan(1000)
})

test('parts of an upload that hangs are thrown away', async () => {
  const asked: string[] = []
  const body = '<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>'
  answer = (text, socket) => {
    const [line = ''] = text.split('\r\n')
    if (/^(POST|DELETE) /.test(line)) {
      asked.push(line)
      const content = line.startsWith('POST') ? body : ''
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n${content}`)
    }
  }
  const { failure, ms } = await cutOff(
    (store) => store.writeStream('key', endless(), 1e7),
    /^PUT .*partNumber=1/,
  )
  expect(failure).toBe('cancelled')
  expect(ms).toBeLessThan(1000)
  expect(asked.at(-1)).toMatch(/^DELETE \/backups\/key\?uploadId=one/)
})

function endless(): Readable {
  return Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1024 * 1024)
    })(),
    { objectMode: false },
  )
}

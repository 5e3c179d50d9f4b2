import { createServer, type Server } from 'node:http'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { backupOf } from '../../../lib/backup/target.ts'
import { Store } from '../../../lib/s3/store.ts'
import { estateOf, RecordedRun } from '../doubles.ts'

/** What a store answers to a query. */
type Answers = Record<string, { status?: number; body: string }>

let server: Server
let endpoint: string
let answers: Answers
const asked: string[] = []
const run = new RecordedRun()

beforeAll(async () => {
  server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://store')
    searchParams.delete('x-id')
    searchParams.sort()
    const query = searchParams.toString()
    asked.push(`${request.method} ${query}`)
    const { status = 200, body } = answers[query] ?? { status: 500, body: '' }
    response.writeHead(status, { date: 'Tue, 24 Nov 2026 02:30:00 GMT' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the server has no port')
  endpoint = `http://127.0.0.1:${address.port}`
})
afterAll(async () => {
  for (const close of run.closers) await close()
  server.close()
})

async function store(): Promise<Store> {
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

function uploads(keys: string[], next: string): string {
  const entries = keys.map(
    (key) =>
      `<Upload><Key>${key}</Key><UploadId>id-${key}</UploadId><Initiated>2026-11-24T02:00:00Z</Initiated></Upload>`,
  )
  return `<ListMultipartUploadsResult>${entries.join('')}${next}</ListMultipartUploadsResult>`
}

test('open uploads are read to the last page', async () => {
  const next =
    '<IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker><NextUploadIdMarker>id-b</NextUploadIdMarker>'
  answers = {
    'prefix=p%2F&uploads=': { body: uploads(['a', 'b'], next) },
    'key-marker=b&prefix=p%2F&upload-id-marker=id-b&uploads=': {
      body: uploads(['c'], '<IsTruncated>false</IsTruncated><NextKeyMarker>c</NextKeyMarker>'),
    },
  }
  expect((await (await store()).openUploads('p/')).map(({ key, id }) => [key, id])).toEqual([
    ['a', 'id-a'],
    ['b', 'id-b'],
    ['c', 'id-c'],
  ])
})

function part(number: number, time: string): string {
  return `<Part><PartNumber>${number}</PartNumber><LastModified>${time}</LastModified></Part>`
}

const upload = { key: 'a', id: '1', since: new Date(0) }

test('the last part of an upload is the newest of all pages; the one after the last is not asked for', async () => {
  answers = {
    'uploadId=1': {
      body: `<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>${part(1, '2026-11-24T02:02:00Z')}${part(2, '2026-11-24T02:01:00Z')}</ListPartsResult>`,
    },
    'part-number-marker=2&uploadId=1': {
      body: `<ListPartsResult><IsTruncated>false</IsTruncated><NextPartNumberMarker>3</NextPartNumberMarker>${part(3, '2026-11-24T02:00:00Z')}</ListPartsResult>`,
    },
  }
  asked.length = 0
  expect(await (await store()).lastPart(upload)).toEqual(new Date('2026-11-24T02:02:00Z'))
  expect(asked).toHaveLength(2)
})

test('an upload that somebody else has ended is ended', async () => {
  answers = { 'uploadId=1': { status: 404, body: '<Error><Code>NoSuchUpload</Code></Error>' } }
  expect(await (await store()).lastPart(upload)).toBeUndefined()
  await (await store()).abortUpload(upload)
})

test('the time is that of the store', async () => {
  answers = { '': { body: '' } }
  expect(await (await store()).clock()).toEqual(new Date('2026-11-24T02:30:00Z'))
})

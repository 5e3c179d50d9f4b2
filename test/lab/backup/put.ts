/**
 * Run on the workstation, with the inventory as its argument: puts the objects that stand on stdin into the store, and
 * begins uploads.
 */
import { text } from 'node:stream/consumers'

import { CreateMultipartUploadCommand, S3Client } from '@aws-sdk/client-s3'
import * as z from 'zod'

import { backupOf } from '../../../lib/backup/target.ts'
import { loadEstate } from '../../../lib/inventory/load.ts'
import { Store } from '../../../lib/s3/store.ts'

const Wanted = z.object({ objects: z.array(z.record(z.string(), z.string())), uploads: z.array(z.string()) })

const closers: (() => Promise<void>)[] = []
const estate = await loadEstate(process.argv[2] ?? '')
const { store: entry } = backupOf(estate)
const store = new Store(estate, entry, {
  dryRun: false,
  signal: () => new AbortController().signal,
  onChange: () => {},
  atEnd: (close) => void closers.push(close),
  askSecret: async () => undefined,
  onSecret: () => {},
})
if (!(await store.hasBucket())) await store.createBucket()
const { objects, uploads } = Wanted.parse(JSON.parse(await text(process.stdin)))
for (const some of objects) {
  await Promise.all(Object.entries(some).map(([key, content]) => store.writeText(key, content)))
}
const client = new S3Client({
  endpoint: entry.endpoint,
  region: entry.region,
  forcePathStyle: true,
  credentials: {
    accessKeyId: estate.secret(entry.accessKey),
    secretAccessKey: estate.secret(entry.secretKey),
  },
})
for (const key of uploads) {
  await client.send(new CreateMultipartUploadCommand({ Bucket: entry.bucket, Key: key }))
}
client.destroy()
for (const close of closers) await close()

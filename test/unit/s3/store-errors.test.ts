import { expect, test } from 'vitest'

import { StoreEntry } from '../../../lib/inventory/inventory.ts'
import { storeError } from '../../../lib/s3/errors.ts'
import { TaskError } from '../../../lib/task/errors.ts'

const entry = StoreEntry.parse({
  endpoint: 'http://192.0.2.9:9000',
  bucket: 'shop-backups',
  accessKey: 'env:KEY',
  secretKey: 'env:SECRET',
})

test('a bucket of somebody else', () => {
  const answer = Object.assign(new Error('taken'), {
    name: 'BucketAlreadyExists',
    $metadata: { httpStatusCode: 409 },
  })
  const error = storeError({ name: 'the store', entry }, answer)
  expect(error).toBeInstanceOf(TaskError)
  expect(error).toMatchObject({
    message: 'the bucket shop-backups at http://192.0.2.9:9000 belongs to somebody else',
    next: 'choose another name: backup.store.bucket',
    seen: 'HTTP 409 BucketAlreadyExists: taken',
  })
})

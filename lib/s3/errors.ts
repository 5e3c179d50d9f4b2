import { errorBehind, HostError } from '../host/errors.ts'
import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import type { Store } from './store.ts'

const makeRoom = 'make room there, then run it again; nothing of this run was kept'

/**
 * What a store answered, or did not, in words that name it and the next step. What a stream of ours failed with
 * while it was uploaded stays what it is.
 * Error codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
export function storeError(store: Pick<Store, 'name' | 'entry'>, error: unknown, key?: string): unknown {
  if (!(error instanceof Error) || error instanceof TaskError || errorBehind(error, HostError)) return error
  const { endpoint, bucket, accessKey, secretKey } = store.entry
  const code = 'Code' in error && typeof error.Code === 'string' ? error.Code : error.name
  const status = statusOf(error)
  const told = (message: string, next?: string): TaskError =>
    new TaskError(message, {
      next,
      cause: error,
      seen: status === undefined ? undefined : `HTTP ${status} ${code}: ${error.message}`,
    })
  switch (code) {
    case 'AbortError': {
      return new HostError(store.name, 'cancelled', 'cancelled', undefined, error)
    }
    case 'SignatureDoesNotMatch':
    case 'InvalidAccessKeyId': {
      return told(
        `${store.name} does not know our key`,
        `set backup.store.accessKey and secretKey (${accessKey}, ${secretKey}) to what the store gave you`,
      )
    }
    case 'RequestTimeTooSkewed': {
      return clockError(store, error)
    }
    case 'NoSuchBucket': {
      return told(`there is no bucket ${bucket} at ${endpoint}`, 'npx tsx tasks/backup-up.ts')
    }
    case 'BucketAlreadyExists': {
      return told(
        `the bucket ${bucket} at ${endpoint} belongs to somebody else`,
        'choose another name: backup.store.bucket',
      )
    }
    case 'NoSuchKey': {
      return told(`${store.name} has no ${key ?? 'such object'}`)
    }
    case 'EntityTooLarge':
    case 'QuotaExceeded':
    case 'XMinioStorageFull': {
      return told(`${store.name} is full`, makeRoom)
    }
  }
  if (status === 507) return told(`${store.name} is full`, makeRoom)
  if (status === 401 || status === 403) {
    return told(`${store.name} does not let ${accessKey} do this`, 'check the key and what it may do there')
  }
  if (status === 404 && key === undefined)
    return told(`there is no bucket ${bucket} at ${endpoint}`, 'npx tsx tasks/backup-up.ts')
  if (status !== undefined) return told(`${store.name} failed`, 'look into its log, then run it again')
  const network = networkCode(error)
  if (network === undefined) return error
  return new TaskError(`no answer from ${store.name}: ${network}`, {
    code: exitCode.unreachable,
    next: `curl -sS ${endpoint}   # is it up?`,
    cause: error,
  })
}

/** Signatures hold for 15 minutes, and backups are told apart by time. */
export function clockError(store: Pick<Store, 'name'>, cause?: unknown): TaskError {
  return new TaskError(
    `the clocks of this computer and of ${store.name} are too far apart: it is ${new Date().toISOString()} here`,
    { next: 'set the clock that is wrong', cause },
  )
}

/** The HTTP status that a store answered with. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined
  const { $metadata: metadata } = error
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}

/** What Node's network said: a code such as ECONNREFUSED, or the name of a time-out. */
function networkCode(error: Error): string | undefined {
  if ('code' in error && typeof error.code === 'string' && /^[A-Z_]+$/.test(error.code)) return error.code
  return error.name === 'TimeoutError' ? error.message : undefined
}

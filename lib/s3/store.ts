import { Readable } from 'node:stream'

import type { ListMultipartUploadsOutput, ListPartsOutput } from '@aws-sdk/client-s3'
import { z } from 'zod'

import { HostError } from '../host/errors.ts'
import type { Run } from '../host/events.ts'
import { Limiter } from '../host/limiter.ts'
import type { Estate } from '../inventory/estate.ts'
import type { StoreEntry } from '../inventory/inventory.ts'
import { Client } from './client.ts'
import { clockError, statusOf } from './errors.ts'

/** S3 takes no smaller part, but for the last one. Bytes. */
const smallestPart = 5 * 1024 * 1024

/** S3 takes 10,000 at most; some are left for a guess that was too small. */
const mostParts = 9000

/** Parts of one upload that are on their way at a time; of large ones fewer, as each is in memory. */
const partsAtOnce = 2
const mostOnTheWay = 96 * 1024 * 1024

/** How far the store's clock may be from ours. Milliseconds. */
const mostSkew = 300_000

/** Small objects that are read at a time. */
const readsAtOnce = 16

export interface StoredObject {
  key: string
  bytes: number
  modified: Date
}

/** An upload of several parts that nobody ended. */
export interface OpenUpload {
  key: string
  id: string
  since: Date
}

/** What one key had at a time: an object, or the mark that says it was deleted. */
export interface ObjectVersion {
  key: string
  version: string
}

/** What every answer over HTTP has: by the clock of who gave it. */
const Answer = z.object({ headers: z.object({ date: z.string() }) })

/** The bucket of an S3-compatible store. */
export class Store {
  /** How messages name it: `bucket backups at http://10.10.10.20:9000`. */
  readonly name: string
  readonly entry: StoreEntry
  readonly #run: Run
  readonly #client: Client
  readonly #reads = new Limiter(readsAtOnce)

  constructor(estate: Estate, entry: StoreEntry, run: Run) {
    this.name = `bucket ${entry.bucket} at ${entry.endpoint}`
    this.entry = entry
    this.#run = run
    this.#client = new Client(this, estate, run)
  }

  /** @throws TaskError that says which of name, key, clock and network is wrong */
  async hasBucket(): Promise<boolean> {
    const { HeadBucketCommand } = await import('@aws-sdk/client-s3')
    return this.#client.ask(async (client) => {
      try {
        await client.send(new HeadBucketCommand({ Bucket: this.entry.bucket }))
        // The client signs with the store's time from now on, without a word; our backups would bear ours.
        if (Math.abs(client.config.systemClockOffset) > mostSkew) throw clockError(this)
        return true
      } catch (error) {
        if (statusOf(error) === 404) return false
        throw error
      }
    })
  }

  /** What time it is for the store. Where it does not tell: for this computer, as S3 lets them differ by 15 minutes. */
  async clock(): Promise<Date> {
    const { HeadBucketCommand } = await import('@aws-sdk/client-s3')
    return this.#client.ask(async (client) => {
      const command = new HeadBucketCommand({ Bucket: this.entry.bucket })
      let told: string | undefined
      command.middlewareStack.add(
        (next) => async (request) => {
          const answer = await next(request)
          told = Answer.safeParse(answer.response).data?.headers.date
          return answer
        },
        { step: 'deserialize' },
      )
      await client.send(command)
      const time = new Date(told ?? Number.NaN)
      return Number.isNaN(time.getTime()) ? new Date() : time
    })
  }

  async createBucket(): Promise<void> {
    const { CreateBucketCommand } = await import('@aws-sdk/client-s3')
    await this.#client.act(`create ${this.name}`, (client) =>
      client.send(new CreateBucketCommand({ Bucket: this.entry.bucket })),
    )
  }

  /** Names of all buckets that our key sees. */
  async buckets(): Promise<string[]> {
    const { ListBucketsCommand } = await import('@aws-sdk/client-s3')
    return this.#client.ask(async (client) => {
      const { Buckets = [] } = await client.send(new ListBucketsCommand({}))
      return Buckets.flatMap(({ Name }) => Name ?? [])
    })
  }

  /** Objects whose key begins with `prefix`, in the order of their keys. */
  async list(prefix: string): Promise<StoredObject[]> {
    const { paginateListObjectsV2 } = await import('@aws-sdk/client-s3')
    return this.#client.ask(async (client) => {
      const found: StoredObject[] = []
      for await (const page of paginateListObjectsV2(
        { client },
        { Bucket: this.entry.bucket, Prefix: prefix },
      )) {
        for (const { Key, Size, LastModified } of page.Contents ?? []) {
          if (Key !== undefined)
            found.push({ key: Key, bytes: Size ?? 0, modified: LastModified ?? new Date(0) })
        }
      }
      return found
    })
  }

  /** The object's bytes, as they come. @throws TaskError when there is none */
  async read(key: string): Promise<Readable> {
    const { GetObjectCommand } = await import('@aws-sdk/client-s3')
    return this.#client.ask(async (client) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: this.entry.bucket, Key: key }))
      if (!(Body instanceof Readable)) throw new Error(`${key} came without a body`)
      return Readable.from(this.#explained(Body, key), { objectMode: false })
    }, key)
  }

  async *#explained(body: Readable, key: string): AsyncGenerator {
    try {
      yield* body
    } catch (error) {
      throw this.#client.explained(error, key)
    }
  }

  /** A small object whole. @returns undefined when there is none */
  async readText(key: string): Promise<string | undefined> {
    const { NoSuchKey, GetObjectCommand } = await import('@aws-sdk/client-s3')
    return this.#client.ask(async (client) => {
      await this.#reads.enter()
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: this.entry.bucket, Key: key }))
        return await Body?.transformToString()
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined
        throw error
      } finally {
        this.#reads.leave()
      }
    }, key)
  }

  /**
   * Uploads what a stream gives, in parts, with bounded memory. When the stream or the store fails nothing is left:
   * the object is there whole or not at all.
   *
   * @param expected bytes at most, as far as one can know: decides how large a part is
   * @param told is called with the bytes that the store has
   */
  async writeStream(
    key: string,
    content: Readable,
    expected: number,
    told: (bytes: number) => void = () => {},
  ): Promise<void> {
    const [{ Upload }, { DeleteObjectCommand }] = await Promise.all([
      import('@aws-sdk/lib-storage'),
      import('@aws-sdk/client-s3'),
    ])
    const partSize = Math.max(smallestPart, Math.ceil(expected / mostParts))
    await this.#client.act(`upload ${key}`, async (client) => {
      const upload = new Upload({
        client,
        params: { Bucket: this.entry.bucket, Key: key, Body: content },
        partSize,
        queueSize: Math.max(1, Math.min(partsAtOnce, Math.floor(mostOnTheWay / partSize))),
      })
      upload.on('httpUploadProgress', ({ loaded = 0 }) => told(loaded))
      const signal = this.#run.signal()
      // Not the upload's own abort(), which does not wait until the store has thrown the parts away.
      const cancelled = new HostError(this.name, 'cancelled', 'cancelled')
      const stop = (): void => void content.destroy(cancelled)
      signal.addEventListener('abort', stop)
      try {
        await upload.done()
        if (signal.aborted) throw cancelled
      } catch (error) {
        // All of it had been read: the store may have it whole, although it did not say so.
        if (signal.aborted && content.readableEnded) {
          const command = new DeleteObjectCommand({ Bucket: this.entry.bucket, Key: key })
          await client.send(command, { abortSignal: this.#client.tidying }).catch(() => {})
        }
        throw error
      } finally {
        signal.removeEventListener('abort', stop)
        content.destroy()
      }
    })
  }

  async writeText(key: string, content: string): Promise<void> {
    const { PutObjectCommand } = await import('@aws-sdk/client-s3')
    await this.#client.act(`upload ${key}`, (client) =>
      client.send(new PutObjectCommand({ Bucket: this.entry.bucket, Key: key, Body: content })),
    )
  }

  async remove(key: string): Promise<void> {
    const { DeleteObjectCommand } = await import('@aws-sdk/client-s3')
    await this.#client.act(`delete ${key}`, (client) =>
      client.send(new DeleteObjectCommand({ Bucket: this.entry.bucket, Key: key })),
    )
  }

  /** Whether the bucket keeps what is overwritten or deleted; undefined when the store knows no versions. */
  async versioning(): Promise<'on' | 'off' | 'suspended' | undefined> {
    const { GetBucketVersioningCommand } = await import('@aws-sdk/client-s3')
    return this.#client.ask(async (client) => {
      try {
        const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket: this.entry.bucket }))
        if (Status === 'Enabled') return 'on'
        return Status === 'Suspended' ? 'suspended' : 'off'
      } catch (error) {
        if (statusOf(error) === 501) return undefined
        throw error
      }
    })
  }

  async keepVersions(): Promise<void> {
    const { PutBucketVersioningCommand } = await import('@aws-sdk/client-s3')
    await this.#client.act(`switch versioning on in ${this.name}`, (client) =>
      client.send(
        new PutBucketVersioningCommand({
          Bucket: this.entry.bucket,
          VersioningConfiguration: { Status: 'Enabled' },
        }),
      ),
    )
  }

  /**
   * What is and was below a prefix, 1000 at most; where nothing is kept, what is. Swift gives no second page: to have
   * all of it away, delete these and ask again.
   */
  async versions(prefix: string): Promise<ObjectVersion[]> {
    const { ListObjectVersionsCommand } = await import('@aws-sdk/client-s3')
    return this.#client.ask(async (client) => {
      const { Versions = [], DeleteMarkers = [] } = await client.send(
        new ListObjectVersionsCommand({ Bucket: this.entry.bucket, Prefix: prefix }),
      )
      return [...Versions, ...DeleteMarkers].flatMap(({ Key, VersionId }) =>
        Key === undefined ? [] : [{ key: Key, version: VersionId ?? 'null' }],
      )
    })
  }

  async removeVersion({ key, version }: ObjectVersion): Promise<void> {
    const { DeleteObjectCommand } = await import('@aws-sdk/client-s3')
    await this.#client.act(`delete ${key}${version === 'null' ? '' : ` (version ${version})`}`, (client) =>
      client.send(new DeleteObjectCommand({ Bucket: this.entry.bucket, Key: key, VersionId: version })),
    )
  }

  async openUploads(prefix: string): Promise<OpenUpload[]> {
    const { ListMultipartUploadsCommand } = await import('@aws-sdk/client-s3')
    return this.#client.ask(async (client) => {
      const found: OpenUpload[] = []
      let next: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {}
      while (next) {
        const page: ListMultipartUploadsOutput = await client.send(
          new ListMultipartUploadsCommand({ Bucket: this.entry.bucket, Prefix: prefix, ...next }),
        )
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          if (Key !== undefined && UploadId !== undefined)
            found.push({ key: Key, id: UploadId, since: Initiated ?? new Date(0) })
        }
        next = pageAfter(page)
      }
      return found
    })
  }

  /** When the store got the last part of it; undefined when it has none, or when it was ended meanwhile. */
  async lastPart({ key, id }: OpenUpload): Promise<Date | undefined> {
    const { ListPartsCommand, NoSuchUpload } = await import('@aws-sdk/client-s3')
    return this.#client.ask(async (client) => {
      let last: Date | undefined
      let marker: string | undefined
      try {
        // Not by the client's own pages: Swift names a next one after the last, and those would never end.
        do {
          const page: ListPartsOutput = await client.send(
            new ListPartsCommand({
              Bucket: this.entry.bucket,
              Key: key,
              UploadId: id,
              ...(marker === undefined ? {} : { PartNumberMarker: marker }),
            }),
          )
          for (const { LastModified } of page.Parts ?? []) {
            if (LastModified && !(last && last > LastModified)) last = LastModified
          }
          marker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined
        } while (marker !== undefined)
      } catch (error) {
        if (!(error instanceof NoSuchUpload)) throw error
      }
      return last
    })
  }

  async abortUpload({ key, id }: OpenUpload): Promise<void> {
    const { AbortMultipartUploadCommand, NoSuchUpload } = await import('@aws-sdk/client-s3')
    await this.#client.act(`abort the upload of ${key}`, async (client) => {
      try {
        await client.send(
          new AbortMultipartUploadCommand({ Bucket: this.entry.bucket, Key: key, UploadId: id }),
        )
      } catch (error) {
        // Somebody else has ended it.
        if (!(error instanceof NoSuchUpload)) throw error
      }
    })
  }
}

/** Where the next page begins. A store that says it goes on, and not where, would be asked for ever. */
function pageAfter({ IsTruncated, NextKeyMarker, NextUploadIdMarker }: ListMultipartUploadsOutput) {
  if (IsTruncated !== true || NextKeyMarker === undefined) return undefined
  return {
    KeyMarker: NextKeyMarker,
    ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }),
  }
}

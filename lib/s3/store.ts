import { Readable } from 'node:stream'

import * as z from 'zod'

import type { Run } from '../host/events.ts'
import { Limiter } from '../host/limiter.ts'
import type { Estate } from '../inventory/estate.ts'
import type { StoreEntry } from '../inventory/inventory.ts'
import { Client } from './client.ts'
import { clockError, statusOf } from './errors.ts'
import { abortUpload, lastPartOf, type OpenUpload, openUploadsBelow } from './open-uploads.ts'
import { writeStream } from './upload.ts'
import { keepVersions, type ObjectVersion, removeVersion, versioningOf, versionsBelow } from './versions.ts'

/** How far the store's clock may be from ours. Milliseconds. */
const mostSkew = 300_000

/** Small objects that are read at a time. */
const readsAtOnce = 16

export interface StoredObject {
  key: string
  bytes: number
  modified: Date
}

/** What every answer over HTTP has: by the clock of who gave it. */
const Answer = z.object({ headers: z.object({ date: z.string() }) })

/** The bucket of an S3-compatible store, and its objects. */
export class Store {
  /** How messages name it: `bucket backups at http://10.10.10.20:9000`. */
  readonly name: string
  readonly entry: StoreEntry
  readonly #client: Client
  readonly #reads = new Limiter(readsAtOnce)

  constructor(estate: Estate, entry: StoreEntry, run: Run) {
    this.name = `bucket ${entry.bucket} at ${entry.endpoint}`
    this.entry = entry
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

  /** Whole or not at all: see {@link writeStream}. */
  writeStream(
    key: string,
    content: Readable,
    expected: number,
    told?: (bytes: number) => void,
  ): Promise<void> {
    return writeStream(this.#client, key, content, expected, told)
  }

  versioning(): Promise<'on' | 'off' | 'suspended' | undefined> {
    return versioningOf(this.#client)
  }

  keepVersions(): Promise<void> {
    return keepVersions(this.#client)
  }

  /** 1000 at most: see {@link versionsBelow}. */
  versions(prefix: string): Promise<ObjectVersion[]> {
    return versionsBelow(this.#client, prefix)
  }

  removeVersion(version: ObjectVersion): Promise<void> {
    return removeVersion(this.#client, version)
  }

  openUploads(prefix: string): Promise<OpenUpload[]> {
    return openUploadsBelow(this.#client, prefix)
  }

  lastPart(upload: OpenUpload): Promise<Date | undefined> {
    return lastPartOf(this.#client, upload)
  }

  abortUpload(upload: OpenUpload): Promise<void> {
    return abortUpload(this.#client, upload)
  }
}

import { Transform, type TransformCallback } from 'node:stream'
import { createGunzip } from 'node:zlib'

import { Archive, type ArchiveContents } from './archive.ts'

/**
 * Lets the bytes of `mongodump --archive --gzip` through, and knows what is in them; fails at the end when they are no
 * whole archive. Its sums of each collection are not computed again: SSH has watched over what arrives, and mongorestore
 * looks at them.
 */
export class Census extends Transform {
  /** Once it has ended. */
  contents: ArchiveContents | undefined
  readonly #archive: Archive
  readonly #gunzip = createGunzip()

  private constructor(archive: Archive) {
    super()
    this.#archive = archive
    this.#gunzip.on('error', (error) => this.destroy(error))
    this.#gunzip.on('data', (chunk: Buffer) => {
      try {
        archive.push(chunk)
      } catch (error) {
        this.#gunzip.destroy(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  static async open(): Promise<Census> {
    return new Census(await Archive.open())
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#gunzip.write(chunk, (error) => done(error, chunk))
  }

  override _flush(done: TransformCallback): void {
    this.#gunzip.once('end', () => {
      try {
        this.contents = this.#archive.end()
        done()
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)))
      }
    })
    this.#gunzip.end()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#gunzip.destroy()
    done(error)
  }
}

import type { Readable } from 'node:stream'

import { HostError } from '../host/errors.ts'
import type { Client } from './client.ts'

/** S3 takes no smaller part, but for the last one. Bytes. */
const smallestPart = 5 * 1024 * 1024

/** S3 takes 10,000 at most; some are left for a guess that was too small. */
const mostParts = 9000

/** Parts of one upload that are on their way at a time; of large ones fewer, as each is in memory. */
const partsAtOnce = 2
const mostOnTheWay = 96 * 1024 * 1024

/**
 * Uploads what a stream gives, in parts, with bounded memory. When the stream or the store fails nothing is left:
 * the object is there whole or not at all.
 *
 * @param expected bytes at most, as far as one can know: decides how large a part is
 * @param told is called with the bytes that the store has
 */
export async function writeStream(
  client: Client,
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
  await client.act(`upload ${key}`, async (s3) => {
    const upload = new Upload({
      client: s3,
      params: { Bucket: client.bucket, Key: key, Body: content },
      partSize,
      queueSize: Math.max(1, Math.min(partsAtOnce, Math.floor(mostOnTheWay / partSize))),
    })
    upload.on('httpUploadProgress', ({ loaded = 0 }) => told(loaded))
    const signal = client.signal
    // Not the upload's own abort(), which does not wait until the store has thrown the parts away.
    const cancelled = new HostError(client.name, 'cancelled', 'cancelled')
    const stop = (): void => void content.destroy(cancelled)
    signal.addEventListener('abort', stop)
    try {
      await upload.done()
      if (signal.aborted) throw cancelled
    } catch (error) {
      // All of it had been read: the store may have it whole, although it did not say so.
      if (signal.aborted && content.readableEnded) {
        const command = new DeleteObjectCommand({ Bucket: client.bucket, Key: key })
        await s3.send(command, { abortSignal: client.tidying }).catch(() => {})
      }
      throw error
    } finally {
      signal.removeEventListener('abort', stop)
      content.destroy()
    }
  })
}

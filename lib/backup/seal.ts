import { Readable } from 'node:stream'

import { TaskError } from '../task/errors.ts'

/**
 * Encrypts a stream with age, so that `age -d` opens it.
 * @param recipients any one of their secret keys opens it
 */
export async function seal(content: Readable, recipients: readonly string[]): Promise<Readable> {
  const { Encrypter } = await import('age-encryption')
  const encrypter = new Encrypter()
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  return fromWeb(content, await encrypter.encrypt(bytesOf(content)))
}

/**
 * @param identity an age secret key, or the text of a key file
 * @throws TaskError when it was not encrypted for this key; the stream fails where the content was changed or cut off
 */
export async function unseal(content: Readable, identity: string): Promise<Readable> {
  const { Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  for (const key of secretKeys(identity)) decrypter.addIdentity(key)
  try {
    return fromWeb(content, await decrypter.decrypt(bytesOf(content)))
  } catch (error) {
    content.destroy()
    throw new TaskError('it does not open with our age key', {
      seen: error instanceof Error ? error.message : String(error),
      next: 'set backup.identity to the secret key of one of the recipients that the manifest names',
      cause: error,
    })
  }
}

/** Checks a key without using it. @returns what is wrong with it */
export async function recipientProblem(recipient: string): Promise<string | undefined> {
  const { Encrypter } = await import('age-encryption')
  try {
    new Encrypter().addRecipient(recipient)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function secretKeys(identity: string): string[] {
  return identity.split('\n').flatMap((line) => {
    const key = line.trim()
    return key === '' || key.startsWith('#') ? [] : [key]
  })
}

function bytesOf(content: Readable): ReadableStream<Uint8Array> {
  const iterator: AsyncIterator<unknown> = content[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else if (value instanceof Uint8Array) controller.enqueue(value)
    },
    async cancel() {
      content.destroy()
    },
  })
}

/** Destroying it destroys what it comes from: nobody goes on dumping for a reader who has gone. */
function fromWeb(content: Readable, stream: ReadableStream<Uint8Array>): Readable {
  const readable = Readable.from(chunksOf(stream), { objectMode: false })
  readable.once('close', () => content.destroy())
  return readable
}

async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    if (value.length > 0) yield value
  }
}

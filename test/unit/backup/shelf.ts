import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'

import { generateX25519Identity, identityToRecipient } from 'age-encryption'

import type { Part } from '../../../lib/backup/manifest.ts'
import { seal } from '../../../lib/backup/seal.ts'
import { StoreEntry } from '../../../lib/inventory/inventory.ts'

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A store that keeps objects in memory, and can be told to break off. */
export class MemoryStore {
  readonly name = 'bucket test at http://store'
  readonly entry = StoreEntry.parse({
    endpoint: 'http://store',
    bucket: 'test',
    accessKey: 'env:ACCESS',
    secretKey: 'env:SECRET',
  })
  readonly objects = new Map<string, Buffer>()
  /** Bytes after which a read is cut off. */
  cutAt = Infinity
  readOnly = false

  async read(key: string): Promise<Readable> {
    const object = this.objects.get(key)
    if (!object) throw new Error(`no ${key}`)
    return Readable.from(this.#chunks(object))
  }

  async *#chunks(object: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < object.length; at += 16_384) {
      if (at >= this.cutAt) throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
      yield object.subarray(at, at + 16_384)
    }
  }

  async writeText(key: string, content: string): Promise<void> {
    if (this.readOnly) throw new Error('it is read-only')
    this.objects.set(key, Buffer.from(content))
  }

  /** Stores it as backup-now does. */
  async put(at: string, name: string, plain: Buffer, recipients: string[]): Promise<Part> {
    const chunks: Uint8Array[] = await (await seal(Readable.from([plain]), recipients)).toArray()
    const stored = Buffer.concat(chunks)
    this.objects.set(`${at}${name}`, stored)
    return {
      name,
      bytes: stored.length,
      sha256: sha256(stored),
      plain: { bytes: plain.length, sha256: sha256(plain) },
    }
  }
}

export async function ageKey(): Promise<{ identity: string; recipient: string }> {
  const identity = await generateX25519Identity()
  return { identity, recipient: await identityToRecipient(identity) }
}

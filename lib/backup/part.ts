import { type Readable, pipeline } from 'node:stream'
import { pipeline as piped } from 'node:stream/promises'

import type { Store } from '../s3/store.ts'
import { TaskError } from '../task/errors.ts'
import { Gauge } from './gauge.ts'
import type { Part } from './manifest.ts'
import { seal } from './seal.ts'

/** How far a part has come: bytes that were made, and that the store has. */
export interface Progress {
  made: number
  stored: number
}

/** What is between two words of progress. Milliseconds. */
const tick = 1000

/**
 * Encrypts what a machine says, and stores it. When the machine, the store or the way in between fails, nothing is
 * left in the store.
 *
 * @param at where the backup is
 * @param expected bytes at most
 */
export async function storePart(
  store: Pick<Store, 'writeStream'>,
  { at, name, recipients }: { at: string; name: string; recipients: readonly string[] },
  content: Readable,
  expected: number,
  told: (progress: Progress) => void = () => {},
): Promise<Part> {
  const [plain, sealed] = [new Gauge(), new Gauge()]
  // Each hands its failure on to the next, where the upload meets it.
  pipeline(content, plain, () => {})
  pipeline(await seal(plain, recipients), sealed, () => {})
  let stored = 0
  const clock = setInterval(() => told({ made: plain.bytes, stored }), tick)
  try {
    await store.writeStream(`${at}${name}`, sealed, expected, (bytes) => (stored = bytes))
  } finally {
    clearInterval(clock)
  }
  return {
    name,
    bytes: sealed.bytes,
    sha256: sealed.sha256(),
    plain: { bytes: plain.bytes, sha256: plain.sha256() },
  }
}

/** For the dry run. */
export async function pretendToStore(
  store: Pick<Store, 'writeText'>,
  at: string,
  names: readonly string[],
): Promise<void> {
  for (const name of names) await store.writeText(`${at}${name}`, '')
}

/** @throws TaskError when the store gives back other bytes than it was given */
export async function provePart(store: Pick<Store, 'read'>, at: string, part: Part): Promise<void> {
  const gauge = new Gauge()
  await piped(await store.read(`${at}${part.name}`), gauge.resume())
  const sha256 = gauge.sha256()
  if (gauge.bytes === part.bytes && sha256 === part.sha256) return
  throw new TaskError(`the store does not give back what it was given: ${at}${part.name}`, {
    seen: `stored: ${part.bytes} bytes, SHA-256 ${part.sha256}\nread:   ${gauge.bytes} bytes, SHA-256 ${sha256}`,
    next: 'do not trust this store before you know why; the backup has no manifest and does not count',
  })
}

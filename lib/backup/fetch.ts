import { pipeline, type Readable, Transform } from 'node:stream'
import { pipeline as piped } from 'node:stream/promises'

import { storeError } from '../s3/errors.ts'
import type { Store } from '../s3/store.ts'
import { TaskError } from '../task/errors.ts'
import { Gauge } from './gauge.ts'
import type { Part } from './manifest.ts'
import { unseal } from './seal.ts'

/** What is stored is whole and opens, and is not what was dumped. */
export class OtherContent extends TaskError {}

/** What reading a part needs of a store. */
type Reads = Pick<Store, 'read' | 'name' | 'entry'>

/**
 * A part as it was before it was encrypted. The stream fails at its end when it is not, to the byte, what the manifest
 * says; and in the middle when age or the store does.
 *
 * @param at where the backup is
 * @param told is called with the bytes that have come through
 * @throws TaskError when there is no such object, or it is not for our key
 */
export async function openPart(
  store: Reads,
  at: string,
  part: Part,
  identity: string,
  told: (bytes: number) => void = () => {},
): Promise<Readable> {
  const [stored, plain] = [new Gauge(), new Gauge()]
  const body = await store.read(`${at}${part.name}`)
  let cut: unknown
  pipeline(body, stored, (error) => {
    if (error) cut = storeError(store, error, `${at}${part.name}`)
  })
  const opened = await unseal(stored, identity).catch((error: unknown) => {
    throw cut ?? error
  })
  const checked = new Transform({
    transform: (chunk, _encoding, pass) => {
      told(plain.bytes)
      pass(null, chunk)
    },
    flush: (done) => {
      const problem = difference(part.name, part, stored)
      if (problem !== undefined) return done(new TaskError(problem))
      const other = difference(`${part.name}, decrypted,`, part.plain, plain)
      done(other === undefined ? null : new OtherContent(other))
    },
    destroy: (error, done) => done(cut instanceof Error && error ? cut : error),
  })
  pipeline(opened, plain, checked, () => {})
  return checked
}

/** A small part whole. */
export async function readPart(store: Reads, at: string, part: Part, identity: string): Promise<string> {
  const chunks: Uint8Array[] = await (await openPart(store, at, part, identity)).toArray()
  return Buffer.concat(chunks).toString()
}

/**
 * Reads a stored object again, to tell its own damage from that of the way to us.
 * @returns what is wrong with it; undefined when it is as the manifest says
 */
export async function damageOf(store: Reads, at: string, part: Part): Promise<string | undefined> {
  const gauge = new Gauge()
  try {
    await piped(await store.read(`${at}${part.name}`), gauge.resume())
  } catch (error) {
    throw storeError(store, error, `${at}${part.name}`)
  }
  return difference(part.name, part, gauge)
}

function difference(
  name: string,
  wanted: { bytes: number; sha256: string },
  gauge: Gauge,
): string | undefined {
  if (gauge.bytes !== wanted.bytes) {
    return `${name} has ${gauge.bytes} bytes, and its manifest says ${wanted.bytes}`
  }
  const sha256 = gauge.sha256()
  return sha256 === wanted.sha256
    ? undefined
    : `${name} has the SHA-256 ${sha256}, and its manifest says ${wanted.sha256}`
}

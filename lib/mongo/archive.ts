import * as z from 'zod'

import { type Collection, type Collections, isDumped, kindOf } from './collections.ts'

/** What is wrong with an archive: it is no whole one. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
}

/** What an archive says of itself, and what is in it. */
export interface ArchiveContents {
  /** Of the server that was dumped: `7.0.14`. */
  serverVersion: string
  collections: Collections
}

const magic = 0x8199e26d
const terminator = 0xffffffff
/** What the tools take: 16 MiB, and room for what MongoDB wraps around a document. Bytes. */
const largest = 16 * 1024 * 1024 + 16 * 1024
/** A time series' documents are in the archive under this name, from servers before 8.3. */
const buckets = 'system.buckets.'

const Header = z.object({ version: z.string(), server_version: z.string() })
const Prelude = z.object({
  db: z.string(),
  collection: z.string(),
  metadata: z.string().default(''),
  type: z.string().default(''),
})
const Namespace = z.object({ db: z.string(), collection: z.string(), EOF: z.boolean() })
const Metadata = z.object({
  options: z.object({ viewOn: z.unknown().optional() }).optional(),
  indexes: z.array(z.object({ name: z.string() })).default([]),
})

type Parse = (document: Uint8Array) => unknown

interface Open extends Collection {
  name: string
  isClosed: boolean
}

/**
 * Reads the format of `mongodump --archive` while it comes (common/archive/spec.md of mongo-tools): blocks, each of a
 * header, documents and a terminator. The first block lists the collections; each of the others has documents of one
 * collection, and the last of a collection says so, empty ones too: that is how a shortened archive is told from a whole
 * one. Documents are counted and not looked into; what arrives is kept nowhere.
 */
export class Archive {
  readonly #parse: Parse
  readonly #open = new Map<string, Open>()
  #serverVersion: string | undefined
  /** Of the piece that is being put together. */
  #piece: Buffer = Buffer.alloc(4)
  #filled = 0
  /** Bytes of a document that is passed over. */
  #skipped = 0
  #expects: 'magic' | 'size' | 'document' = 'magic'
  #isPrelude = true
  /** The next document is the first one of a block. */
  #isHeader = true
  #current: Open | undefined

  private constructor(parse: Parse) {
    this.#parse = parse
  }

  static async open(): Promise<Archive> {
    const { deserialize } = await import('bson')
    return new Archive((document) => deserialize(document))
  }

  /** @throws ArchiveError */
  push(chunk: Uint8Array): void {
    let rest = chunk
    while (rest.length > 0) {
      const skipped = Math.min(this.#skipped, rest.length)
      this.#skipped -= skipped
      rest = rest.subarray(skipped)
      const taken = rest.subarray(0, this.#piece.length - this.#filled)
      this.#piece.set(taken, this.#filled)
      this.#filled += taken.length
      rest = rest.subarray(taken.length)
      if (this.#skipped === 0 && this.#filled === this.#piece.length) this.#take()
    }
  }

  /** @throws ArchiveError when something is missing */
  end(): ArchiveContents {
    if (this.#expects !== 'size' || this.#filled > 0 || this.#skipped > 0 || !this.#isHeader) {
      throw new ArchiveError('it ends in the middle')
    }
    const unfinished = [...this.#open.values()].flatMap(({ name, isClosed }) => (isClosed ? [] : [name]))
    if (this.#isPrelude || this.#serverVersion === undefined) throw new ArchiveError('it ends in the middle')
    if (unfinished.length > 0) throw new ArchiveError(`it ends before the end of ${unfinished.join(', ')}`)
    return {
      serverVersion: this.#serverVersion,
      collections: Object.fromEntries(
        [...this.#open.values()]
          .filter(({ name }) => isDumped(name))
          .map(({ name, kind, documents, indexes }) => [name, { kind, documents, indexes }]),
      ),
    }
  }

  #take(): void {
    const piece = this.#piece
    switch (this.#expects) {
      case 'magic':
        if (piece.readUInt32LE() !== magic) throw new ArchiveError('it is no archive of mongodump')
        this.#next('size', Buffer.alloc(4))
        return
      case 'size':
        this.#takeSize(piece.readUInt32LE(), piece)
        return
      case 'document':
        this.#next('size', Buffer.alloc(4))
        this.#takeDocument(piece)
    }
  }

  #next(expects: 'size' | 'document', piece: Buffer, filled = 0): void {
    this.#expects = expects
    this.#piece = piece
    this.#filled = filled
  }

  #takeSize(size: number, word: Buffer): void {
    if (size === terminator) {
      if (this.#isHeader) throw new ArchiveError('it has a block without a header')
      this.#isPrelude = false
      this.#isHeader = true
      this.#current = undefined
      this.#filled = 0
      return
    }
    if (size < 5 || size > largest) throw new ArchiveError(`it has a document of ${size} bytes`)
    if (this.#isPrelude || this.#isHeader) {
      const document = Buffer.alloc(size)
      document.set(word)
      this.#next('document', document, word.length)
      return
    }
    if (!this.#current) throw new ArchiveError('it has documents after the end of their collection')
    this.#current.documents += 1
    this.#skipped = size - word.length
    this.#filled = 0
  }

  #takeDocument(document: Buffer): void {
    if (this.#isPrelude) {
      if (this.#isHeader) this.#serverVersion = this.#read(Header, document).server_version
      else this.#addCollection(this.#read(Prelude, document))
    } else this.#enter(this.#read(Namespace, document))
    this.#isHeader = false
  }

  #addCollection({ db, collection: name, metadata, type }: z.infer<typeof Prelude>): void {
    const { options, indexes } = metadata === '' ? { indexes: [] } : readMetadata(metadata)
    const kind = kindOf(type === '' && options?.viewOn !== undefined ? 'view' : type)
    this.#open.set(`${db}.${name}`, {
      name,
      kind,
      documents: 0,
      indexes: indexes.map((index) => index.name).toSorted(),
      isClosed: false,
    })
  }

  #enter({ db, collection, EOF }: z.infer<typeof Namespace>): void {
    const found =
      this.#open.get(`${db}.${collection}`) ??
      (collection.startsWith(buckets)
        ? this.#open.get(`${db}.${collection.slice(buckets.length)}`)
        : undefined)
    if (!found) throw new ArchiveError(`it has documents of ${collection}, which it does not list`)
    if (found.isClosed) throw new ArchiveError(`it goes on with ${collection} after its end`)
    found.isClosed = EOF
    this.#current = EOF ? undefined : found
  }

  #read<T extends z.ZodType>(type: T, document: Buffer): z.infer<T> {
    try {
      return type.parse(this.#parse(document))
    } catch (error) {
      throw new ArchiveError('it has a header that cannot be read', { cause: error })
    }
  }
}

function readMetadata(text: string): z.infer<typeof Metadata> {
  try {
    return Metadata.parse(JSON.parse(text))
  } catch (error) {
    throw new ArchiveError('it has a list of indexes that cannot be read', { cause: error })
  }
}

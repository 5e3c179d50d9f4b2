import { type Document, Long, serialize } from 'bson'

export interface Piece {
  name: string
  documents: Document[]
  /** As MongoDB calls it; empty for a collection. */
  type?: string
  indexes?: string[]
  /** The name that its documents stand under, where that is another one. */
  under?: string
}

export const terminator = Buffer.from([0xff, 0xff, 0xff, 0xff])
const magic = Buffer.from([0x6d, 0xe2, 0x99, 0x81])

/** An archive as mongodump writes it (common/archive/spec.md of mongo-tools): collections a document each in turn. */
export function archiveOf(pieces: readonly Piece[], database = 'webapp'): Buffer {
  const header = {
    concurrent_collections: 4,
    version: '0.1',
    server_version: '7.0.14',
    tool_version: '100.10.0',
  }
  const prelude = pieces.map(({ name, type = '', indexes = ['_id_'] }) => ({
    db: database,
    collection: name,
    metadata: JSON.stringify({ indexes: indexes.map((index) => ({ name: index })), type }),
    size: 0,
    type,
  }))
  const most = Math.max(0, ...pieces.map(({ documents }) => documents.length))
  const segments = Array.from({ length: most }).flatMap((_, turn) =>
    pieces.flatMap(({ name, under = name, documents }) => {
      const document = documents[turn]
      return document ? [entry(database, under, false), serialize(document), terminator] : []
    }),
  )
  const ends = pieces.flatMap(({ name, under = name }) => [entry(database, under, true), terminator])
  return Buffer.concat([
    magic,
    serialize(header),
    ...prelude.map((one) => serialize(one)),
    terminator,
    ...segments,
    ...ends,
  ])
}

/** The header of a block. */
export function entry(db: string, collection: string, EOF: boolean): Uint8Array {
  return serialize({ db, collection, EOF, CRC: Long.fromNumber(EOF ? -7 : 0) })
}

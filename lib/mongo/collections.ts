import * as z from 'zod'

import type { MongoServer } from './server.ts'
import { ours } from './swap.ts'

export const Collection = z.object({
  kind: z.enum(['collection', 'view', 'timeseries']),
  /** Of a time series: its buckets. */
  documents: z.int(),
  /** Their names, sorted. */
  indexes: z.array(z.string()),
})
export type Collection = z.infer<typeof Collection>

/** What is in a database, by name. */
export const Collections = z.record(z.string(), Collection)
export type Collections = z.infer<typeof Collections>

/** @param type as MongoDB calls it; empty for a collection, in an archive */
export function kindOf(type: string): Collection['kind'] {
  return type === 'view' || type === 'timeseries' ? type : 'collection'
}

/** `3 collections with 1204 documents` */
export function describeCollections(collections: Collections): string {
  const all = Object.values(collections)
  const documents = all.reduce((sum, one) => sum + one.documents, 0)
  return `${all.length} collections with ${documents} documents`
}

const Listed = z.object({ name: z.string(), type: z.string() })
const Counted = z.object({ n: z.number() })
const Index = z.object({ name: z.string() })

/** Whether a dump has it: of what MongoDB keeps for itself in a database, only functions (mongodump/prepare.go). */
export function isDumped(name: string): boolean {
  return !name.startsWith('system.') || name === 'system.js'
}

/** Names of all that a dump has, and their types. */
export async function listCollections(
  server: MongoServer,
  database: string,
): Promise<z.infer<typeof Listed>[]> {
  const all = await listed(server, database)
  return all.filter(({ name }) => isDumped(name))
}

/**
 * Everything is counted, document by document.
 * @param prefix of those that are looked at, and are told without it; default: those that have none of ours
 */
export async function readCollections(
  server: MongoServer,
  database: string,
  prefix = '',
): Promise<Collections> {
  const everything = await listed(server, database)
  const names = new Set(everything.map(({ name }) => name))
  const all = everything.filter(({ name }) =>
    prefix === '' ? !name.startsWith(ours) : name.startsWith(prefix),
  )
  const told = (name: string): string => name.slice(prefix.length)
  const found = all.filter(({ name, type }) => isDumped(name) && type !== 'view')
  const answers = await server.ask(
    found.flatMap(({ name, type }) => {
      const bucket = `system.buckets.${name}`
      const counted = type === 'timeseries' && names.has(bucket) ? bucket : name
      return [
        { db: database, command: { aggregate: counted, pipeline: [{ $count: 'n' }], cursor: {} } },
        { db: database, command: { listIndexes: name, cursor: { batchSize: most } } },
      ]
    }),
  )
  return Object.fromEntries([
    ...all.flatMap(({ name, type }): [string, Collection][] =>
      type === 'view' ? [[told(name), { kind: 'view', documents: 0, indexes: [] }]] : [],
    ),
    ...found.map(({ name, type }, index): [string, Collection] => {
      // An empty collection gives no row at all.
      const documents = rowsOf(Counted, answers[2 * index])[0]?.n ?? 0
      const indexes = rowsOf(Index, answers[2 * index + 1]).map((one) => one.name)
      return [told(name), { kind: kindOf(type), documents, indexes: indexes.toSorted() }]
    }),
  ])
}

async function listed(server: MongoServer, database: string): Promise<z.infer<typeof Listed>[]> {
  const [answer] = await server.ask([
    { db: database, command: { listCollections: 1, nameOnly: true, cursor: { batchSize: most } } },
  ])
  return rowsOf(Listed, answer)
}

/** More than there are: a second batch would have to be fetched by a command of its own. */
const most = 100_000

function rowsOf<T extends z.ZodType>(type: T, answer: unknown): z.infer<T>[] {
  const { cursor } = z
    .object({ cursor: z.object({ id: z.literal(0), firstBatch: z.array(type) }) })
    .parse(answer)
  return cursor.firstBatch
}

import * as z from 'zod'

import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import { listCollections } from './collections.ts'
import type { MongoServer } from './server.ts'
import { ours } from './swap.ts'

/** MongoDB takes fewer than 64 (https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions). Bytes. */
const longestName = 63

/** An empty collection in our scratch databases, and in nobody else's: MongoDB has no comments on databases. */
const mark = `${ours}scratch`

/**
 * The name of a database that a backup is restored into, beside all others.
 * @throws TaskError when it would be too long for MongoDB
 */
export function scratchName(database: string, now: Date): string {
  const name = `${database}__verify_${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
  const excess = Buffer.byteLength(name) - longestName
  if (excess <= 0) return name
  throw new TaskError(`"${name}" is ${excess} bytes too long for a database name`, { code: exitCode.usage })
}

/** So that the next run knows whose it is, whatever becomes of this one. */
export async function createScratch(server: MongoServer, name: string): Promise<void> {
  await server.act([{ db: name, command: { create: mark } }])
}

export async function dropScratch(server: MongoServer, name: string): Promise<void> {
  await server.act([{ db: name, command: { dropDatabase: 1 } }])
}

const Databases = z.object({ databases: z.array(z.object({ name: z.string() })) })

/** What runs that were cut off have left of a database, and what only looks like it and has not our mark. */
export async function leftoversOf(
  server: MongoServer,
  database: string,
): Promise<{ ours: string[]; others: string[] }> {
  const [answer] = await server.ask([{ db: 'admin', command: { listDatabases: 1, nameOnly: true } }])
  const beginning = `${database}__verify_`
  const names = Databases.parse(answer).databases.flatMap(({ name }) =>
    name.startsWith(beginning) && /^\d{8}T\d{6}Z$/.test(name.slice(beginning.length)) ? [name] : [],
  )
  const marked: string[] = []
  for (const name of names) {
    if ((await listCollections(server, name)).some((one) => one.name === mark)) marked.push(name)
  }
  return { ours: marked, others: names.filter((name) => !marked.includes(name)) }
}

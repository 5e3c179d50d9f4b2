import * as z from 'zod'

import { TaskError } from '../task/errors.ts'
import { listCollections } from './collections.ts'
import type { MongoServer } from './server.ts'
import { ours } from './swap.ts'

const Stats = z.object({ dataSize: z.number() })

/**
 * @returns how large its documents are on the server, uncompressed: bytes
 * @throws TaskError when there is no such database
 */
export async function lookAtDatabase(server: MongoServer, database: string): Promise<number> {
  const all = await listCollections(server, database)
  if (all.every(({ name }) => name.startsWith(ours))) {
    throw new TaskError(`there is no database ${database} on ${server.name}, or it has no collection`)
  }
  const [stats] = await server.ask([{ db: database, command: { dbStats: 1 } }])
  return Math.round(Stats.parse(stats).dataSize)
}

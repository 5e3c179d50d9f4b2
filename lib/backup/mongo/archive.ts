import { pipeline } from 'node:stream'

import { Census } from '../../mongo/census.ts'
import type { Collections } from '../../mongo/collections.ts'
import { dumpDatabase, dumpError } from '../../mongo/dump.ts'
import type { MongoServer } from '../../mongo/server.ts'
import type { Store } from '../../s3/store.ts'
import { mongoArchiveName } from '../layout.ts'
import type { Part } from '../manifest.ts'
import { type Progress, storePart } from '../part.ts'

/**
 * Dumps a database of MongoDB into the store, and counts what is in the archive as it goes by.
 * @throws TaskError when mongodump fails, or its archive is not whole; nothing is left in the store then
 */
export async function archiveToStore(
  store: Pick<Store, 'writeStream'>,
  { at, recipients }: { at: string; recipients: readonly string[] },
  { server, database, bytes }: { server: MongoServer; database: string; bytes: number },
  told: (progress: Progress) => void,
): Promise<{ part: Part; collections: Collections }> {
  const census = await Census.open()
  pipeline(dumpDatabase(server, database), census, () => {})
  try {
    const place = { at, name: mongoArchiveName, recipients }
    const part = await storePart(store, place, census, bytes, told)
    if (!census.contents) throw new Error('a census has contents at its end')
    return { part, collections: census.contents.collections }
  } catch (error) {
    throw dumpError(error, server, database)
  }
}

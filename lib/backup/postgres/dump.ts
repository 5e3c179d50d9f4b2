import { type Contents, readContents } from '../../postgres/dump/contents.ts'
import { dumpDatabase, dumpError } from '../../postgres/dump/dump.ts'
import type { Programs } from '../../postgres/dump/programs.ts'
import { Snapshot } from '../../postgres/dump/snapshot.ts'
import type { Store } from '../../s3/store.ts'
import { dumpName } from '../layout.ts'
import type { Part } from '../manifest.ts'
import { type Progress, storePart } from '../part.ts'

export interface Dumped {
  part: Part
  contents: Contents
  /** The moment whose state it holds. */
  taken: Date
}

/**
 * Dumps a database into the store, and counts its rows meanwhile, in the same snapshot.
 * @param behind bytes, of a standby
 * @throws what failed first; the other one is ended
 */
export async function dumpToStore(
  store: Pick<Store, 'writeStream'>,
  { at, recipients }: { at: string; recipients: readonly string[] },
  {
    programs,
    database,
    bytes,
    behind,
  }: { programs: Programs; database: string; bytes: number; behind: number | undefined },
  told: (progress: Progress) => void,
): Promise<Dumped> {
  const snapshot = await Snapshot.take(programs, database)
  try {
    const dump = dumpDatabase(programs, database, snapshot.id)
    const counting = readContents(snapshot)
    counting.catch((error: unknown) =>
      dump.destroy(error instanceof Error ? error : new Error(String(error))),
    )
    const part = await storePart(store, { at, name: dumpName, recipients }, dump, bytes, told)
    // A standby that has replayed all there is holds the present state, however long nobody has written.
    const taken = behind === 0 ? snapshot.taken : (snapshot.replayed ?? snapshot.taken)
    return { part, contents: await counting, taken }
  } catch (error) {
    throw dumpError(error, database)
  } finally {
    await snapshot.close()
  }
}

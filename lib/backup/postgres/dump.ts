import { type Contents, readContents } from '../../postgres/dump/contents.ts'
import { dumpDatabase, dumpError, hasVanished } from '../../postgres/dump/dump.ts'
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

/** Snapshots, at most. */
const mostTries = 3

interface Where {
  at: string
  recipients: readonly string[]
}

interface What {
  programs: Programs
  database: string
  bytes: number
  /** In bytes, of a standby. */
  behind: number | undefined
}

/**
 * Dumps a database into the store, and counts its rows meanwhile, in the same snapshot.
 * @param onAgain is called with the reason when a table has vanished in its first moment, and it is begun again
 * @throws what failed first; the other one is ended
 */
export async function dumpToStore(
  store: Pick<Store, 'writeStream'>,
  where: Where,
  what: What,
  told: (progress: Progress) => void,
  onAgain: (why: string) => void,
): Promise<Dumped> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await dumpOnce(store, where, what, told)
    } catch (error) {
      if (tries === mostTries || !hasVanished(error)) throw dumpError(error, what.database)
      onAgain('a table was dropped while its dump began, which begins again without it')
    }
  }
}

async function dumpOnce(
  store: Pick<Store, 'writeStream'>,
  { at, recipients }: Where,
  { programs, database, bytes, behind }: What,
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
  } finally {
    await snapshot.close()
  }
}

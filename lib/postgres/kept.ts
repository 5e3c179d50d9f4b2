import type { DatabaseFacts } from './catalog.ts'

/** PostgreSQL cuts longer names without an error (NAMEDATALEN - 1), which would lose the time stamp. Bytes. */
const longestName = 63

const kinds = ['before_reset', 'before_restore', 'failed'] as const
export type CopyKind = (typeof kinds)[number]

/** A database that a reset or a restore put aside. */
export interface KeptCopy {
  kind: CopyKind
  /** UTC, as it stands in the name: `20261121T021411Z`. */
  time: string
  facts: DatabaseFacts
}

/**
 * The name under which a reset or a restore puts a database aside.
 * @throws when it would be too long for PostgreSQL
 */
export function copyName(database: string, kind: CopyKind, now: Date): string {
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const name = `${database}__${kind}_${time}`
  const excess = Buffer.byteLength(name) - longestName
  if (excess > 0) {
    throw new Error(`"${name}" is ${excess} bytes too long for a database name; rename "${database}" first`)
  }
  return name
}

/** The copies of a database, newest first. */
export function keptCopies(database: string, all: DatabaseFacts[]): KeptCopy[] {
  return all
    .flatMap((facts) => {
      const rest = facts.name.startsWith(`${database}__`) ? facts.name.slice(database.length + 2) : ''
      const [, kind, time = ''] = /^(before_reset|before_restore|failed)_(\d{8}T\d{6}Z)$/.exec(rest) ?? []
      const known = kinds.find((name) => name === kind)
      return known ? [{ kind: known, time, facts }] : []
    })
    .toSorted((a, b) => b.time.localeCompare(a.time))
}

/** How far a reset came that nobody finished. */
export type Unfinished =
  | { state: 'door closed'; database: DatabaseFacts }
  | { state: 'renamed'; old: DatabaseFacts; half: DatabaseFacts | undefined }

/** Finds a reset that was cut off, by what it left on the server. */
export function unfinishedReset(database: string, all: DatabaseFacts[]): Unfinished | undefined {
  const current = all.find((facts) => facts.name === database)
  const old = keptCopies(database, all).find((copy) => copy.facts.mark.reset === 'unfinished')
  if (old) return { state: 'renamed', old: old.facts, half: current }
  if (current?.mark.reset === 'closing') return { state: 'door closed', database: current }
  return undefined
}

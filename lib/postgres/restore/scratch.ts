import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import { type DatabaseFacts, readDatabases } from '../catalog.ts'
import { createLike } from '../database.ts'
import type { Properties } from '../dump/properties.ts'
import type { Mark, ScratchKind } from '../mark.ts'
import type { Server } from '../server.ts'
import type { DatabaseSettings } from '../settings.ts'
import { identifier, sql } from '../sql.ts'

/** PostgreSQL cuts longer names without an error (NAMEDATALEN - 1). Bytes. */
const longestName = 63

/** What a database that is created for a restore is to be like. */
export interface Shape {
  like: DatabaseFacts
  settings: DatabaseSettings
}

/**
 * The name of a database that a backup is restored into, beside all others.
 * @throws TaskError when it would be too long for PostgreSQL
 */
export function scratchName(database: string, kind: ScratchKind, now: Date): string {
  const name = `${beginning(database, kind)}${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
  const excess = Buffer.byteLength(name) - longestName
  if (excess <= 0) return name
  throw new TaskError(`"${name}" is ${excess} bytes too long for a database name`, { code: exitCode.usage })
}

function beginning(database: string, kind: ScratchKind): string {
  return `${database}__${kind}_`
}

/** What runs that were cut off have left of a database: by our mark on it, and by nothing else. */
export function leftovers(
  database: string,
  kind: ScratchKind,
  all: readonly DatabaseFacts[],
): DatabaseFacts[] {
  return all.filter(({ name, mark }) => mark.scratch === kind && name.startsWith(beginning(database, kind)))
}

/** Those that have such a name and not our mark: of a run that was cut off before it could set it, or somebody's. */
export function lookalikes(
  database: string,
  kind: ScratchKind,
  all: readonly DatabaseFacts[],
): DatabaseFacts[] {
  return all.filter(({ name, mark }) => {
    const rest = name.startsWith(beginning(database, kind))
      ? name.slice(beginning(database, kind).length)
      : ''
    return mark.scratch === undefined && /^\d{8}T\d{6}Z$/.test(rest)
  })
}

/**
 * The shape of a restored database: that of the one which has its name there, with the encoding and locale of the one
 * that was dumped, or its text might not fit. Without one there, all is of that which was dumped; when its manifest does
 * not say, the server's own, with the locale of the inventory.
 */
export function shapeOf(
  all: readonly DatabaseFacts[],
  database: string,
  owner: string,
  { properties, locale }: { properties: Properties | undefined; locale: string | undefined },
): DatabaseFacts {
  const template = all.find(({ name }) => name === 'template0')
  if (!template) throw new TaskError('the server has no template0, which PostgreSQL restores into')
  const there = all.find(({ name }) => name === database)
  if (properties) {
    const { encoding, provider, collate, ctype, icuRules } = properties
    const was = {
      encoding,
      collate,
      ctype,
      icuRules,
      locale: properties.locale,
      // A server of before PostgreSQL 15 knows libc's alone, and has no word for it.
      provider: template.provider === null ? null : (provider ?? 'libc'),
    }
    const { connectionLimit } = properties
    return { ...template, owner, connectionLimit, tablespace: 'pg_default', ...there, words: '', ...was }
  }
  if (there) return { ...there, words: '' }
  const plain = { ...template, owner, words: '', connectionLimit: -1, tablespace: 'pg_default' }
  if (locale === undefined) return plain
  const libc = plain.provider === null ? {} : { provider: 'libc' as const }
  return { ...plain, ...libc, encoding: 'UTF8', collate: locale, ctype: locale, locale: null, icuRules: null }
}

/** From template0: what a site has in template1 is in the dump, or is none of its. */
export async function createScratch(
  server: Server,
  name: string,
  { like, settings }: Shape,
  mark: Mark,
): Promise<void> {
  await createLike(server, name, like, settings, undefined, mark)
}

/** @throws when it does not bear our mark: a bug, for then it is somebody's */
export async function dropScratch(server: Server, name: string): Promise<void> {
  const found = (await readDatabases(server)).find((facts) => facts.name === name)
  if (!found) return
  if (found.mark.scratch === undefined)
    throw new Error(`${name} does not bear the mark of a scratch database`)
  await server.change([sql`drop database ${identifier(name)} with (force)`])
}

import * as z from 'zod'

import { TaskError } from '../../task/errors.ts'
import { readDatabases } from '../catalog.ts'
import type { Server } from '../server.ts'
import { readSettings } from '../settings.ts'
import { sql } from '../sql.ts'
import { readOwners } from './owners.ts'
import { type Properties, propertiesOf } from './properties.ts'
import { qualifiedName, readTables } from './tables.ts'

/** A database that can be dumped. */
export interface DatabaseLook {
  owner: string
  /** Who owns something in it. */
  owners: string[]
  properties: Properties
  /** On the server, with its indexes. */
  bytes: number
  /** Of the server: `17.6`. */
  version: string
  /** Whether we may read what roles log in with. */
  readsPasswords: boolean
}

const Rights = z.object({ version: z.string(), readsPasswords: z.boolean() })

/** How many tables a message names. */
const mostNamed = 10

/** @throws TaskError when it is not there, or a dump of it could not be whole */
export async function lookAtDatabase(server: Server, database: string): Promise<DatabaseLook> {
  const facts = (await readDatabases(server, database)).find(({ name }) => name === database)
  if (!facts) throw new TaskError(`there is no database ${database} on ${server.name}`)
  if (!facts.allowsConnections) {
    throw new TaskError(
      `${database} on ${server.name} accepts no connections: a reset closed it, or somebody did`,
    )
  }
  const unreadable = (await readTables(server, database))
    .filter(({ readable }) => !readable)
    .map(qualifiedName)
  if (unreadable.length > 0) {
    const more = unreadable.length > mostNamed ? `, and ${unreadable.length - mostNamed} more` : ''
    throw new TaskError(
      `our role on ${server.name} may not read all of ${database}: ${unreadable.slice(0, mostNamed).join(', ')}${more}`,
      { next: 'grant pg_read_all_data to the role that hausmeister comes as (PostgreSQL 14 and newer)' },
    )
  }
  const [rights] = await server.select(
    Rights,
    sql`select split_part(current_setting('server_version'), ' ', 1) as version,
        has_table_privilege('pg_catalog.pg_authid', 'select') as "readsPasswords"`,
  )
  if (!rights) throw new Error('a select without FROM gives one row')
  const [owners, settings] = await Promise.all([
    readOwners(server, database),
    readSettings(server, facts.oid),
  ])
  return {
    owner: facts.owner,
    owners,
    properties: propertiesOf(facts, settings),
    bytes: facts.bytes,
    ...rights,
  }
}

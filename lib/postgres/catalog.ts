import * as z from 'zod'

import { type Mark, readMark } from './mark.ts'
import type { Server } from './server.ts'
import { literal, sql, type Sql } from './sql.ts'

/** A row of pg_database; columns as in the catalog, the locale's under the names of PostgreSQL 17. */
export interface DatabaseFacts {
  name: string
  /** As text: an oid is unsigned and outlives a rename. */
  oid: string
  owner: string
  encoding: string
  /** null: the server has no choice of them, before PostgreSQL 15 */
  provider: 'libc' | 'icu' | 'builtin' | null
  collate: string
  ctype: string
  locale: string | null
  icuRules: string | null
  tablespace: string
  allowsConnections: boolean
  /** -1: no limit */
  connectionLimit: number
  isTemplate: boolean
  /** Its comment without our mark. */
  words: string
  mark: Mark
  /** 0 where it was not asked for, and where we may not know. */
  bytes: number
}

const providers = { c: 'libc', d: 'libc', i: 'icu', b: 'builtin' } as const

/** A row of {@link databasesQuery}. */
export const DatabaseRow = z
  .object({
    facts: z.object({
      datname: z.string(),
      datlocprovider: z.enum(['c', 'i', 'b', 'd']).optional(),
      datcollate: z.string(),
      datctype: z.string(),
      datlocale: z.string().nullish(),
      daticulocale: z.string().nullish(),
      daticurules: z.string().nullish(),
      datallowconn: z.boolean(),
      datconnlimit: z.number(),
      datistemplate: z.boolean(),
    }),
    oid: z.string(),
    owner: z.string(),
    encoding: z.string(),
    tablespace: z.string(),
    comment: z.string().nullable(),
    bytes: z.number().nullable(),
  })
  .transform(({ facts, comment, bytes, ...row }): DatabaseFacts => ({
    ...row,
    bytes: bytes ?? 0,
    ...readMark(comment),
    name: facts.datname,
    provider: facts.datlocprovider === undefined ? null : providers[facts.datlocprovider],
    collate: facts.datcollate,
    ctype: facts.datctype,
    locale: facts.datlocale ?? facts.daticulocale ?? null,
    icuRules: facts.daticurules ?? null,
    allowsConnections: facts.datallowconn,
    connectionLimit: facts.datconnlimit,
    isTemplate: facts.datistemplate,
  }))

/**
 * All databases of a server. The row goes through JSON whole, because its columns differ between versions.
 *
 * @param sized beginning of the names of those whose size is wanted. PostgreSQL fails when it is asked for the
 *   size of one that somebody drops meanwhile
 */
export function databasesQuery(sized?: string): Sql {
  const isSized =
    sized === undefined ? sql`false` : sql`left(d.datname, length(${literal(sized)})) = ${literal(sized)}`
  return sql`select to_jsonb(d) as facts, d.oid::text, pg_get_userbyid(d.datdba) as owner,
        pg_encoding_to_char(d.encoding) as encoding, t.spcname as tablespace,
        shobj_description(d.oid, 'pg_database') as comment,
        case when ${isSized} then
          case when has_database_privilege(d.oid, 'connect') then coalesce(pg_database_size(d.oid), 0) end
        end as bytes
      from pg_database d join pg_tablespace t on t.oid = d.dattablespace
      order by d.datname`
}

export function readDatabases(server: Server, sized?: string): Promise<DatabaseFacts[]> {
  return server.select(DatabaseRow, databasesQuery(sized))
}

const Session = z.object({
  application: z.string(),
  address: z.string(),
  user: z.string(),
  count: z.number(),
})
export type Session = z.infer<typeof Session>

/** Who is connected to a database, by application and address; not we ourselves, who ask several things at once. */
export function readSessions(server: Server, database: string): Promise<Session[]> {
  return server.select(
    Session,
    sql`select coalesce(nullif(application_name, ''), 'no name') as application,
        coalesce(host(client_addr), 'local') as address, coalesce(usename, '') as "user", count(*)::int as count
      from pg_stat_activity
      where datname = ${literal(database)} and backend_type = 'client backend' and application_name is distinct from 'hausmeister'
      group by 1, 2, 3 order by 4 desc, 1`,
  )
}

const Content = z.object({ tables: z.number(), extensions: z.array(z.string()) })
export type Content = z.infer<typeof Content>

/** What is inside a database; it must accept connections. */
export async function readContent(server: Server, database: string): Promise<Content> {
  const [content] = await server.select(
    Content,
    sql`select
        (select count(*)::int from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p') and not c.relispartition
            and n.nspname <> 'information_schema' and n.nspname !~ '^pg_') as tables,
        (select coalesce(json_agg(extname order by extname), '[]') from pg_extension where extname <> 'plpgsql')
          as extensions`,
    database,
  )
  return content ?? { tables: 0, extensions: [] }
}

import * as z from 'zod'

import type { Server } from '../server.ts'
import { identifier, join, literal, sql } from '../sql.ts'

/** A table whose rows are in a dump. */
const Table = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.enum(['r', 'p']),
  readable: z.boolean(),
  /** An unlogged one has no rows on a standby, and pg_dump takes none from there. */
  empty: z.boolean(),
})
export type Table = z.infer<typeof Table>

const Count = z.object({ schema: z.string(), name: z.string(), rows: z.number() })

/** Counted in one question: a server answers some thousands at a time. */
const atOnce = 500

/**
 * All tables of a database that a dump has rows of: partitioned ones as a whole, and none that an extension brings
 * along or that another server holds.
 */
export function readTables(server: Pick<Server, 'select'>, database?: string): Promise<Table[]> {
  return server.select(
    Table,
    sql`select n.nspname as schema, c.relname as name, c.relkind as kind,
        has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as readable,
        c.relpersistence = 'u' and pg_is_in_recovery() as empty
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
        and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
        and not exists (select from pg_depend d
          where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
      order by 1, 2`,
    database,
  )
}

/** Rows of each table by its name as SQL has it: `public.worlds`, `public."Odd.Name"`. */
export async function countTables(
  server: Pick<Server, 'select'>,
  tables: readonly Table[],
  database?: string,
): Promise<Record<string, number>> {
  const counted: [string, number][] = []
  for (let first = 0; first < tables.length; first += atOnce) {
    const counts = tables.slice(first, first + atOnce).map(({ schema, name, kind, empty }) => {
      const table = sql`${identifier(schema)}.${identifier(name)}`
      // Children are tables of their own, but for partitions.
      const from = kind === 'r' ? sql`only ${table}` : table
      const rows = empty ? sql`0` : sql`(select count(*) from ${from})`
      return sql`select ${literal(schema)} as schema, ${literal(name)} as name, ${rows} as rows`
    })
    const rows = await server.select(Count, join(counts, ' union all '), database)
    counted.push(...rows.map((row): [string, number] => [qualifiedName(row), row.rows]))
  }
  return Object.fromEntries(counted)
}

/** The same on every version, whose reserved words differ. */
export function qualifiedName({ schema, name }: { schema: string; name: string }): string {
  return [schema, name]
    .map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : identifier(part).text))
    .join('.')
}

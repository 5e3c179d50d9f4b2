import * as z from 'zod'

import { TaskError } from '../task/errors.ts'
import type { Server } from './server.ts'
import { identifier, join, literal, sql } from './sql.ts'

/** Rows of each table by its name, `public.worlds`; {@link mostRows} stands for that many and more. */
export type RowCounts = Record<string, number>

/** Counting stops here, so that a large table does not take minutes. */
export const mostRows = 100_000

const Table = z.object({ schema: z.string(), name: z.string() })
const Count = z.object({ table: z.string(), rows: z.number() })

/** The tables of a database that our role may read, without Prisma's own. */
export async function countRows(server: Server, database: string): Promise<RowCounts> {
  const tables = await server.select(
    Table,
    sql`select n.nspname as schema, c.relname as name
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and not c.relispartition and c.relname <> '_prisma_migrations'
        and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and has_table_privilege(c.oid, 'select')
      order by 1, 2`,
    database,
  )
  if (tables.length === 0) return {}
  const counts = tables.map(
    ({ schema, name }) => sql`select ${literal(`${schema}.${name}`)} as table,
      (select count(*)::int from (select from ${identifier(schema)}.${identifier(name)} limit ${mostRows}) q) as rows`,
  )
  const rows = await server.select(Count, join(counts, ' union all '), database)
  return Object.fromEntries(rows.map((row) => [row.table, row.rows]))
}

/** `public.worlds 0 → 3`, a line for each table; those that did not change are named in the last one. */
export function describeCounts(before: RowCounts, after: RowCounts): string[] {
  const names = Object.keys({ ...before, ...after }).toSorted()
  const differ = names.filter((name) => before[name] !== after[name])
  const same = names.filter((name) => before[name] === after[name])
  return [
    ...differ.map((name) => `${name} ${amount(before[name])} → ${amount(after[name])}`),
    ...(same.length > 0
      ? [`as before: ${same.map((name) => `${name} ${amount(after[name])}`).join(', ')}`]
      : []),
  ]
}

function amount(rows: number | undefined): string {
  if (rows === undefined) return 'not there'
  return rows === mostRows ? `${rows} or more` : String(rows)
}

/** @throws TaskError when nothing could be told about a seed */
export function refuseUnreadable(database: string, owner: string, counts: RowCounts): void {
  if (Object.keys(counts).length > 0) return
  throw new TaskError(
    `${database} has no table that our role may read, so nothing could be proven of a seed`,
    {
      next: `run its migrations first; if it has tables, let the role that hausmeister comes as be a member of ${owner}`,
    },
  )
}

/** @throws TaskError when no table has a row */
export function refuseEmpty(database: string, counts: RowCounts): void {
  if (Object.values(counts).some((rows) => rows > 0)) return
  throw new TaskError(`the seed ended well, and no table of ${database} has a row`, {
    next: `check that the seed command of the app works on ${database}, and on no other database`,
  })
}

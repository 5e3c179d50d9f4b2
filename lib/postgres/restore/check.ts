import * as z from 'zod'

import type { Server } from '../server.ts'
import { literal, sql } from '../sql.ts'

const Answer = z.object({ answer: z.string() })

/**
 * Asks a database a question of the inventory's, which must be a query that gives one row with one column. The
 * server itself runs its text, as a function that may only read: whatever it says, it changes nothing, and psql does
 * not see it.
 *
 * @returns its answer as PostgreSQL writes it in XML; `true` is a yes
 * @throws PostgresError when it is no query, or fails
 */
export async function ask(server: Server, database: string, question: string): Promise<string> {
  const [row] = await server.select(
    Answer,
    sql`select query_to_xml(${literal(question)}, true, false, '')::text as answer`,
    database,
  )
  const answer = row?.answer ?? ''
  const rows = [...answer.matchAll(/<row[^>]*>(.*?)<\/row>/gs)]
  if (rows.length !== 1) return `${rows.length} rows`
  const values = [...(rows[0]?.[1] ?? '').matchAll(/<[^/>][^>]*>([^<]*)<\/|<[^>]*xsi:nil="true"\/>/g)]
  return values.length === 1 ? (values[0]?.[1] ?? 'null') : `${values.length} columns`
}

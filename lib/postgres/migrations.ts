import * as z from 'zod'

import type { Server } from './server.ts'
import { identifier, sql } from './sql.ts'

/** State of a row of `_prisma_migrations`: Prisma sets finished_at at success and rolled_back_at by `migrate resolve`. */
const Migration = z.object({
  name: z.string(),
  state: z.enum(['applied', 'failed', 'rolled back']),
  /** What the database said when it failed. */
  log: z.string().nullable(),
})
export type Migration = z.infer<typeof Migration>

/** @returns undefined when the database has no table `_prisma_migrations` */
export async function readMigrations(
  server: Pick<Server, 'select'>,
  database?: string,
): Promise<Migration[] | undefined> {
  const [table] = await server.select(
    z.object({ schema: z.string().nullable() }),
    sql`select (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relname = '_prisma_migrations' and c.relkind = 'r' limit 1) as schema`,
    database,
  )
  if (!table?.schema) return undefined
  return server.select(
    Migration,
    sql`select migration_name as name, logs as log,
        case when rolled_back_at is not null then 'rolled back'
          when finished_at is null then 'failed' else 'applied' end as state
      from ${identifier(table.schema)}._prisma_migrations order by started_at`,
    database,
  )
}

/** Those of the app's folder that the database has not applied. */
export function pendingMigrations(folder: string[], applied: Migration[]): string[] {
  const done = new Set(
    applied.flatMap((migration) => (migration.state === 'applied' ? [migration.name] : [])),
  )
  return folder.filter((name) => !done.has(name))
}

/** A failed one that was tried again and applied does not count any more. */
export function failedMigrations(all: Migration[]): Migration[] {
  const applied = new Set(all.flatMap((migration) => (migration.state === 'applied' ? [migration.name] : [])))
  return all.filter((migration) => migration.state === 'failed' && !applied.has(migration.name))
}

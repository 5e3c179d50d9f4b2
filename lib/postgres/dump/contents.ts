import { failedMigrations, readMigrations } from '../migrations.ts'
import type { Server } from '../server.ts'
import { countTables, readTables } from './tables.ts'

/** What a restored copy of a dump must have. */
export interface Contents {
  /** Rows by table, `public.worlds`. */
  tables: Record<string, number>
  /** Prisma's; null when there is no such table. */
  migrations: { applied: string[]; failed: string[] } | null
}

/** Of a database, or of a snapshot of one. Counts every row. */
export async function readContents(server: Pick<Server, 'select'>, database?: string): Promise<Contents> {
  const tables = await countTables(server, await readTables(server, database), database)
  const all = await readMigrations(server, database)
  if (!all) return { tables, migrations: null }
  return {
    tables,
    migrations: {
      applied: all.flatMap(({ name, state }) => (state === 'applied' ? [name] : [])),
      failed: failedMigrations(all).map(({ name }) => name),
    },
  }
}

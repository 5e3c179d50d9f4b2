import { escapeIdentifier } from 'pg'

import type { Cluster } from './cluster.ts'

/** What is in a database: each table with its rows and columns, one line each. */
export async function describeTables(cluster: Cluster, database: string): Promise<string[]> {
  const client = await cluster.connect(database)
  try {
    const { rows: tables } = await client.query<{ name: string; columns: string }>(
      `select table_name as name, string_agg(column_name, ', ' order by ordinal_position) as columns
      from information_schema.columns where table_schema = 'public' group by 1 order by 1`,
    )
    const lines: string[] = []
    for (const { name, columns } of tables) {
      const { rows } = await client.query<{ count: number }>(
        `select count(*)::int as count from ${escapeIdentifier(name)}`,
      )
      const shown = name.startsWith('_') ? '' : `  (${columns})`
      lines.push(`  ${name.padEnd(18)} ${String(rows[0]?.count).padStart(3)} rows${shown}`)
    }
    return lines
  } finally {
    await client.end()
  }
}

/** Prints in what columns the database differs from what the migrations describe; changes nothing. */
import { connect, main, readMigrations } from './database.mjs'

await main(async (live) => {
  const found = await columns(live)
  const described = await describedColumns()
  const missing = described.filter((column) => !found.includes(column))
  const extra = found.filter((column) => !described.includes(column))
  for (const column of extra) console.log(`+ ${column} is there, and no migration creates it`)
  for (const column of missing) console.log(`- ${column} is missing`)
})

/** The migrations are tried in the shadow database, and taken back. */
async function describedColumns() {
  const shadow = await connect('SHADOW_DATABASE_URL')
  try {
    await shadow.query('BEGIN')
    for (const { sql } of await readMigrations()) await shadow.query(sql)
    return await columns(shadow)
  } finally {
    await shadow.query('ROLLBACK')
    await shadow.end()
  }
}

async function columns(client) {
  const { rows } = await client.query(
    `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> '_prisma_migrations' ORDER BY table_name, ordinal_position`,
  )
  return rows.map((row) => row.name)
}

/** Applies what is missing, each in a transaction of its own, and keeps the record that Prisma would keep. */
import { createHash, randomUUID } from 'node:crypto'

import { main, readMigrations } from './database.mjs'

await main(async (client) => {
  await client.query(`
    CREATE TABLE IF NOT EXISTS _prisma_migrations (
      id VARCHAR(36) PRIMARY KEY,
      checksum VARCHAR(64) NOT NULL,
      finished_at TIMESTAMPTZ,
      migration_name VARCHAR(255) NOT NULL,
      logs TEXT,
      rolled_back_at TIMESTAMPTZ,
      started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
      applied_steps_count INTEGER NOT NULL DEFAULT 0
    )`)
  const { rows } = await client.query(
    'SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  )
  const applied = new Set(rows.map((row) => row.name))
  for (const migration of await readMigrations()) {
    if (!applied.has(migration.name)) await apply(client, migration)
  }
})

async function apply(client, { name, sql }) {
  const id = randomUUID()
  const checksum = createHash('sha256').update(sql).digest('hex')
  await client.query('INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ($1, $2, $3)', [
    id,
    checksum,
    name,
  ])
  try {
    await client.query('BEGIN')
    await client.query(sql)
    await client.query(
      'UPDATE _prisma_migrations SET finished_at = now(), applied_steps_count = 1 WHERE id = $1',
      [id],
    )
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    await client.query('UPDATE _prisma_migrations SET logs = $2 WHERE id = $1', [id, error.message])
    throw new Error(`migration ${name} failed: ${error.message}`, { cause: error })
  }
  console.log(`applied ${name}`)
}

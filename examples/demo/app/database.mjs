import { readdir, readFile } from 'node:fs/promises'

import { parse } from 'dotenv'
import { Client } from 'pg'

const folder = new URL('migrations/', import.meta.url)

/** Connects to what DATABASE_URL or SHADOW_DATABASE_URL in the app's own .env names. */
export async function connect(variable = 'DATABASE_URL') {
  const env = parse(await readFile(new URL('.env', import.meta.url)))
  const client = new Client({ connectionString: env[variable], application_name: 'weltenwind' })
  await client.connect()
  return client
}

/** All migrations in order; a folder for each, as Prisma has them. */
export async function readMigrations() {
  const names = (await readdir(folder)).toSorted()
  return Promise.all(
    names.map(async (name) => ({
      name,
      sql: await readFile(new URL(`${name}/migration.sql`, folder), 'utf8'),
    })),
  )
}

/** Runs the app's work, and ends with exit code 1 and the database's own words when it fails. */
export async function main(work) {
  const client = await connect()
  try {
    await work(client)
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  } finally {
    await client.end()
  }
}

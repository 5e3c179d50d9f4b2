import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { escapeIdentifier } from 'pg'

import type { DemoEstate } from './estate.ts'
import { appRole, inventoryOf } from './inventory.ts'

/** A database with an old schema, the app that uses it, and an inventory that names both. */
export interface Site {
  readonly name: string
  readonly inventory: string
  /** The app's folder on its host. */
  readonly app: string
}

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** @param folder where the inventory goes */
export async function addSite(estate: DemoEstate, name: string, folder: string): Promise<Site> {
  const { cluster, password } = estate
  const shadow = `${name}_shadow`
  const app = join(estate.folder, 'srv', name)
  const urlOf = (database: string): string =>
    `postgres://${appRole}:${password}@127.0.0.1:${cluster.port}/${encodeURIComponent(database)}`
  const admin = await cluster.connect()
  for (const database of [name, shadow]) {
    await admin.query(`create database ${escapeIdentifier(database)} owner ${appRole}`)
  }
  await admin.end()
  const owner = await cluster.connect(name)
  await owner.query(`set role ${appRole}`)
  await owner.query(await readFile(source('old-schema.sql'), 'utf8'))
  await owner.end()

  await cp(source('app'), app, { recursive: true })
  await symlink(source('../../node_modules'), join(app, 'node_modules'))
  const appEnv = `DATABASE_URL=${urlOf(name)}\nSHADOW_DATABASE_URL=${urlOf(shadow)}\n`
  await writeFile(join(app, '.env'), appEnv, { mode: 0o600 })

  const inventory = join(folder, 'inventory.json')
  const user = userInfo().username
  const ports = { db: estate.dbHost.port, app: estate.appHost.port }
  await mkdir(folder, { recursive: true })
  await writeFile(
    inventory,
    `${JSON.stringify(inventoryOf({ name, shadow, app, user, ports }), undefined, 2)}\n`,
  )
  const env = `PG_URL=${cluster.url}\nPG_APP_PASSWORD=${password}\n`
  await writeFile(join(folder, '.env'), env, { mode: 0o600 })
  return { name, inventory, app }
}

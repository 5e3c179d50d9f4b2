import { expect, test } from 'vitest'

import { readContent, readDatabases, readSessions } from '../../../lib/postgres/catalog.ts'
import { readMigrations } from '../../../lib/postgres/migrations.ts'
import { FakePostgres, FakeServer } from './fake-postgres.ts'

test('a database, with the mark taken out of its comment', async () => {
  const comment = 'our shop [hausmeister environment=staging]'
  const server = new FakeServer(new FakePostgres({ name: 'shop', owner: 'shop_app', comment, limit: 20 }))
  const [, , shop] = await readDatabases(server)
  expect(shop).toMatchObject({
    name: 'shop',
    owner: 'shop_app',
    encoding: 'UTF8',
    provider: 'libc',
    collate: 'C.UTF-8',
    ctype: 'C.UTF-8',
    locale: null,
    allowsConnections: true,
    connectionLimit: 20,
    words: 'our shop',
    mark: { environment: 'staging' },
  })
})

test.each([
  ['i', 'icu'],
  ['b', 'builtin'],
  ['c', 'libc'],
  [undefined, null],
])('the provider %o is %o', async (datlocprovider, provider) => {
  const locale = { datlocprovider, datcollate: 'C' }
  const server = new FakeServer(new FakePostgres({ name: 'shop', locale }))
  expect((await readDatabases(server)).at(-1)).toMatchObject({ provider })
})

test('who is connected, what is inside, and what Prisma did', async () => {
  const sessions = [{ pid: 7, application: 'api', address: '192.0.2.4', user: 'shop_app' }]
  const migrations = [{ name: '1_init', state: 'failed', log: 'no such table' }]
  const postgres = new FakePostgres(
    { name: 'shop', tables: 3, extensions: ['pgcrypto'], sessions, migrations },
    { name: 'blog' },
  )
  const server = new FakeServer(postgres)
  expect(await readSessions(server, 'shop')).toEqual([
    { application: 'api', address: '192.0.2.4', user: 'shop_app', count: 1 },
  ])
  expect(await readContent(server, 'shop')).toEqual({ tables: 3, extensions: ['pgcrypto'] })
  expect(await readMigrations(server, 'shop')).toEqual(migrations)
  expect(await readMigrations(server, 'blog')).toBeUndefined()
})

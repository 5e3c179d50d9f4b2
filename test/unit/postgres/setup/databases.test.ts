import { expect, test } from 'vitest'

import type { DatabaseFacts } from '../../../../lib/postgres/catalog.ts'
import {
  checkDatabases,
  databaseStatements,
  proveDatabasesSetUp,
  wantedDatabases,
} from '../../../../lib/postgres/setup/databases.ts'
import { setupTarget } from '../../../../lib/postgres/setup/target.ts'
import { shopEstate } from '../reset/shop.ts'

function database(name: string, other: Partial<DatabaseFacts> = {}): DatabaseFacts {
  return {
    name,
    oid: '1',
    owner: 'shop_app',
    encoding: 'UTF8',
    provider: 'libc',
    collate: 'C.UTF-8',
    ctype: 'C.UTF-8',
    locale: null,
    icuRules: null,
    tablespace: 'pg_default',
    allowsConnections: true,
    connectionLimit: -1,
    isTemplate: false,
    words: '',
    mark: { environment: 'development' },
    bytes: 0,
    ...other,
  }
}

const shop = { name: 'shop', owner: 'shop_app', environment: 'development' } as const
const shadow = { name: 'shop_shadow', owner: 'shop_app', environment: undefined }

function statements(wanted: typeof shop | typeof shadow, locale?: string, ...found: DatabaseFacts[]) {
  return databaseStatements(wanted, locale, found).map(({ text }) => text)
}

async function check(changes: Record<string, unknown>, ...found: DatabaseFacts[]): Promise<void> {
  const target = setupTarget(await shopEstate(changes), 'main')
  checkDatabases('pg-1', target, found, (name) => `undo ${name}`)
}

test('databases and their shadows are wanted, and only the first have a mark', async () => {
  const { cluster } = setupTarget(await shopEstate(), 'main')
  expect(wantedDatabases(cluster)).toEqual([shop, shadow])
})

test('what is missing is made and marked', () => {
  expect(statements(shop, undefined, database('template1'))).toEqual([
    'create database "shop" owner "shop_app"',
    `comment on database "shop" is '[hausmeister environment=development]'`,
  ])
  expect(statements(shadow)).toEqual(['create database "shop_shadow" owner "shop_app"'])
})

test('what is there is left alone; owner and mark are put right, words of others stay', () => {
  expect(statements(shop, undefined, database('shop'))).toEqual([])
  expect(
    statements(shop, undefined, database('shop', { owner: 'postgres', words: 'ours', mark: {} })),
  ).toEqual([
    'alter database "shop" owner to "shop_app"',
    `comment on database "shop" is 'ours [hausmeister environment=development]'`,
  ])
})

test('UTF-8, whatever template1 has; its locale only where it is the wanted one', () => {
  const [ascii] = statements(shop, undefined, database('template1', { encoding: 'SQL_ASCII', collate: 'C' }))
  expect(ascii).toBe(
    `create database "shop" owner "shop_app" template template0 encoding 'UTF8' locale 'C.UTF-8'`,
  )
  expect(statements(shop, 'de_DE.UTF-8', database('template1'))[0]).toMatch(/locale 'de_DE.UTF-8'$/)
  expect(statements(shop, 'C.UTF-8', database('template1', { collate: 'C.utf8' }))[0]).not.toMatch(
    /template0/,
  )
})

test('refused: an environment that the server has otherwise', async () => {
  await expect(check({}, database('shop', { mark: { environment: 'production' } }))).rejects.toThrow(
    /the inventory says that shop is development, and the database on pg-1 itself says that it is production/,
  )
})

test('refused: a shadow that is marked as production', async () => {
  await expect(check({}, database('shop_shadow', { mark: { environment: 'production' } }))).rejects.toThrow(
    /so it is no shadow database/,
  )
})

test('refused: another locale or encoding, which a database keeps', async () => {
  const german = { 'postgres/main/locale': 'de_DE.UTF-8' }
  await expect(check(german, database('shop'))).rejects.toThrow(
    /shop on pg-1 has the locale C.UTF-8, and postgres.main.locale is de_DE.UTF-8/,
  )
  const latin = database('shop', { encoding: 'LATIN1', collate: 'de_DE.UTF-8' })
  await expect(check(german, latin)).rejects.toThrow(/has the locale de_DE.UTF-8 in LATIN1/)
  await expect(check(german, database('shop', { collate: 'de_DE.utf8' }))).resolves.toBeUndefined()
  await expect(check({}, latin)).resolves.toBeUndefined()
})

test('refused: a reset that did not finish, with the command that repairs it', async () => {
  const old = database('shop__before_reset_20261124T120000Z', { mark: { reset: 'unfinished' } })
  await expect(check({}, old)).rejects.toMatchObject({
    message: expect.stringMatching(
      /^a reset of shop on pg-1 did not finish: the old database is kept as shop__before_reset_20261124T120000Z/,
    ),
    next: 'undo shop',
  })
})

test('the proof names what is not so', () => {
  expect(() => proveDatabasesSetUp('pg-1', [shop], [])).toThrow('there is no shop on pg-1')
  expect(() => proveDatabasesSetUp('pg-1', [shop], [database('shop', { owner: 'bob' })])).toThrow(
    /belongs to bob/,
  )
  expect(() => proveDatabasesSetUp('pg-1', [shop], [database('shop', { mark: {} })])).toThrow(/does not say/)
  expect(() => proveDatabasesSetUp('pg-1', [shop], [database('shop')])).not.toThrow()
})

import { describe, expect, test } from 'vitest'

import { type DatabaseFacts, readDatabases } from '../../../lib/postgres/catalog.ts'
import {
  createLike,
  dropDatabase,
  endSessions,
  proveDatabase,
  recreateShadow,
} from '../../../lib/postgres/database.ts'
import { confirmDestruction } from '../../../lib/task/confirm.ts'
import { failure } from '../doubles.ts'
import { FakePostgres, FakeServer } from './fake-postgres.ts'

function agreedTo(name: string) {
  return confirmDestruction({ name, question: '', yes: true, dryRun: false, isTerminal: false })
}

async function factsOf(postgres: FakePostgres, name: string): Promise<DatabaseFacts> {
  const found = (await readDatabases(new FakeServer(postgres))).find((facts) => facts.name === name)
  if (!found) throw new Error(`no ${name}`)
  return found
}

const usual: DatabaseFacts = {
  name: 'shop',
  oid: '16384',
  owner: 'shop_app',
  encoding: 'UTF8',
  provider: 'libc',
  collate: 'C.UTF-8',
  ctype: 'C.UTF-8',
  locale: null,
  icuRules: null,
  tablespace: 'pg_default',
  allowsConnections: true,
  connectionLimit: 40,
  isTemplate: false,
  words: '',
  mark: {},
  bytes: 1,
}

/** The statement that creates a database like this one, where template1 is that one. */
async function creation(
  old: DatabaseFacts,
  template1: DatabaseFacts | undefined,
): Promise<string | undefined> {
  const sent: string[] = []
  const server = new FakeServer(new FakePostgres())
  server.change = async (statements) => void sent.push(...statements.map(({ text }) => text))
  await createLike(server, 'shop', old, { settings: [], grants: null }, template1, {})
  return sent[0]
}

describe('a database like the old one', () => {
  test('from template1, where a site may keep extensions', async () => {
    expect(
      await creation(usual, { ...usual, name: 'template1', owner: 'postgres', connectionLimit: -1 }),
    ).toBe('create database "shop" with owner "shop_app" template template1 connection limit 40')
  })

  test('in its tablespace, which is named only where it is not that of the template', async () => {
    const fast = { ...usual, tablespace: 'fast' }
    const start = 'create database "shop" with owner "shop_app" template template1'
    expect(await creation(fast, usual)).toBe(`${start} tablespace "fast" connection limit 40`)
    expect(await creation(fast, fast)).toBe(`${start} connection limit 40`)
    expect(await creation(usual, fast)).toBe(`${start} tablespace "pg_default" connection limit 40`)
  })

  const start = 'create database "shop" with owner "shop_app" template template0'
  const end = ' connection limit 40'

  test.each<[string, Partial<DatabaseFacts>, string]>([
    [
      'libc, which template0 may not have',
      { collate: 'de_DE.UTF-8', ctype: 'de_DE.UTF-8' },
      ` encoding 'UTF8' lc_collate 'de_DE.UTF-8' lc_ctype 'de_DE.UTF-8' locale_provider libc`,
    ],
    [
      'a server that knows no providers',
      { provider: null, encoding: 'LATIN1', collate: 'C', ctype: 'C' },
      ` encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'`,
    ],
    [
      'ICU',
      { provider: 'icu', locale: 'de', icuRules: '& V < w' },
      ` encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8' locale_provider icu icu_locale 'de' icu_rules '& V < w'`,
    ],
    [
      'builtin',
      { provider: 'builtin', locale: 'C.UTF-8', encoding: 'UTF8', collate: 'C' },
      ` encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8' locale_provider builtin builtin_locale 'C.UTF-8'`,
    ],
  ])('from template0: %s', async (_, difference, locale) => {
    expect(await creation({ ...usual, ...difference }, { ...usual, collate: 'en_US.UTF-8' })).toBe(
      `${start}${locale}${end}`,
    )
  })

  test('settings and the mark come in one transaction after it', async () => {
    const postgres = new FakePostgres()
    const settings = { settings: [{ role: null, setting: 'work_mem=64MB' }], grants: [] }
    const old = { ...usual, words: 'our shop' }
    await createLike(new FakeServer(postgres), 'shop', old, settings, usual, { environment: 'test' })
    expect(postgres.transcript.slice(1)).toEqual([
      'begin',
      `alter database "shop" set "work_mem" to '64MB'`,
      'revoke all on database "shop" from public, "shop_app"',
      `comment on database "shop" is 'our shop [hausmeister environment=test]'`,
      'commit',
    ])
  })
})

describe('proveDatabase', () => {
  const postgres = new FakePostgres({ name: 'shop', owner: 'shop_app', limit: 40 })
  const server = new FakeServer(postgres)

  test('is content when it is as it was', async () => {
    expect(await proveDatabase(server, await factsOf(postgres, 'shop'))).toBeUndefined()
  })

  test.each<[Partial<DatabaseFacts>, string]>([
    [{ name: 'blog' }, 'there is no blog'],
    [{ owner: 'anna' }, 'owner of shop is shop_app, and should be anna'],
    [{ connectionLimit: -1 }, 'connectionLimit of shop is 40, and should be -1'],
    [{ provider: 'icu' }, 'provider of shop is libc, and should be icu'],
  ])('%o', async (difference, message) => {
    const wanted = { ...(await factsOf(postgres, 'shop')), ...difference }
    expect((await failure(proveDatabase(server, wanted))).message).toBe(`PostgreSQL on pg-1: ${message}`)
  })
})

describe('endSessions', () => {
  const session = { application: '', address: '192.0.2.4', user: 'shop_app' }

  test('waits until the last one is gone', async () => {
    const postgres = new FakePostgres({ name: 'shop', sessions: [{ pid: 7, ...session }] })
    const server = new FakeServer(postgres)
    let looked = 0
    server.change = async () => {}
    postgres.beforeQuestion = () => {
      looked += 1
      if (looked === 2) postgres.get('shop').sessions = []
    }
    await endSessions(server, 'shop', false)
    expect(looked).toBe(2)
  })
})

describe('destruction needs the word of the operator', () => {
  test('for this very database', async () => {
    const postgres = new FakePostgres({ name: 'shop__failed_20261121T021411Z', open: false })
    const server = new FakeServer(postgres)
    const name = 'shop__failed_20261121T021411Z'
    const other = await agreedTo('blog')
    await expect(dropDatabase(server, name, other, 'shop')).rejects.toThrow('must not be destroyed')
    expect(postgres.transcript).toEqual([])
    await dropDatabase(server, name, await agreedTo('shop'), 'shop')
    expect(postgres.list()).toEqual([])
  })
})

describe('the shadow database', () => {
  const like = { ...usual, connectionLimit: 40 }

  test('is made where there was none', async () => {
    const postgres = new FakePostgres()
    const create = { name: 'shop_shadow', owner: 'shop_app', like }
    await recreateShadow(new FakeServer(postgres), undefined, create, await agreedTo('shop'), 'shop')
    expect(postgres.get('shop_shadow')).toMatchObject({ owner: 'shop_app', limit: -1 })
  })

  test('is not touched by the word for another database', async () => {
    const postgres = new FakePostgres()
    const create = { name: 'shop_shadow', owner: 'shop_app', like }
    const proof = await agreedTo('blog')
    await expect(recreateShadow(new FakeServer(postgres), undefined, create, proof, 'shop')).rejects.toThrow(
      'must not be destroyed',
    )
    expect(postgres.transcript).toEqual([])
  })

  test('is made anew where there was one, whoever is connected, with its comment', async () => {
    const sessions = [{ pid: 7, application: 'prisma', address: 'local', user: 'shop_app' }]
    const postgres = new FakePostgres({ name: 'shop_shadow', comment: 'scratch', tables: 3, sessions })
    const shadow = await factsOf(postgres, 'shop_shadow')
    const create = { name: 'shop_shadow', owner: 'shop_app', like }
    await recreateShadow(new FakeServer(postgres), shadow, create, await agreedTo('shop'), 'shop')
    expect(postgres.transcript[0]).toBe('drop database "shop_shadow" with (force)')
    expect(postgres.get('shop_shadow')).toMatchObject({ tables: 0, comment: 'scratch' })
  })
})

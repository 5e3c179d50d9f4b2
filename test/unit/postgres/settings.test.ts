import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { applySettings, type DatabaseSettings, readSettings } from '../../../lib/postgres/settings.ts'
import { FakePostgres, FakeServer } from './fake-postgres.ts'

function statements(
  settings: DatabaseSettings['settings'],
  grants: DatabaseSettings['grants'] = null,
): string[] {
  return applySettings('shop', 'shop_app', { settings, grants }).map(({ text }) => text)
}

function statement(setting: string, role: string | null = null): string | undefined {
  return statements([{ role, setting }])[0]
}

describe('settings', () => {
  test.each([
    ['work_mem=64MB', `alter database "shop" set "work_mem" to '64MB'`],
    ['TimeZone=Europe/Berlin', `alter database "shop" set "TimeZone" to 'Europe/Berlin'`],
    ['app.tenant=one=two', `alter database "shop" set "app"."tenant" to 'one=two'`],
    ['DateStyle=ISO, DMY', `alter database "shop" set "DateStyle" to 'ISO, DMY'`],
    ["app.greeting=it's; drop", `alter database "shop" set "app"."greeting" to 'it''s; drop'`],
    [String.raw`app.path=C:\temp`, String.raw`alter database "shop" set "app"."path" to  E'C:\\temp'`],
    ['app.empty=', `alter database "shop" set "app"."empty" to ''`],
  ])('%s', (setting, text) => {
    expect(statement(setting)).toBe(text)
  })

  test('of one role in this database', () => {
    expect(statement('role=shop "x"', 'shop_app')).toBe(
      `alter role "shop_app" in database "shop" set "role" to 'shop "x"'`,
    )
  })
})

describe('a list of names', () => {
  test.each([
    ['search_path="$user", public', `'$user', 'public'`],
    ['search_path=', `''`],
    ['search_path=""', `''`],
    ['search_path="a, b", "say ""hi""", "It\'s"', `'a, b', 'say "hi"', 'It''s'`],
    ['SEARCH_PATH=a,b', `'a', 'b'`],
    ['session_preload_libraries="auto_explain", pg_stat', `'auto_explain', 'pg_stat'`],
  ])('%s', (setting, list) => {
    expect(statement(setting)).toMatch(/^alter database "shop" set "\w+" to /)
    expect(statement(setting)?.split(' to ').slice(1).join(' to ')).toBe(list)
  })

  test('is the same list when PostgreSQL has stored it again', () => {
    const names = fc.array(
      fc.oneof(
        fc.constantFrom('public', '$user', 'a'),
        fc.string({ unit: fc.constantFrom(...'",\' a$B'.split('')), minLength: 1, maxLength: 6 }),
      ),
      { minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(names, (path) => {
        // As flatten_set_variable_args writes it: names in quotes where they need them.
        const stored = path
          .map((name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`))
          .join(', ')
        const written = path.map((name) => `'${name.replaceAll("'", "''")}'`).join(', ')
        expect(statement(`search_path=${stored}`)).toBe(
          `alter database "shop" set "search_path" to ${written}`,
        )
      }),
      { numRuns: 500 },
    )
  })
})

describe('grants', () => {
  test('none of its own: PostgreSQL gives the usual ones', () => {
    expect(statements([], null)).toEqual([])
  })

  test('are given as they were, after the usual ones are taken away', () => {
    expect(
      statements(
        [],
        [
          { grantee: 'shop_app', privilege: 'CREATE', grantable: false },
          { grantee: null, privilege: 'CONNECT', grantable: false },
          { grantee: 'Reader', privilege: 'TEMPORARY', grantable: true },
        ],
      ),
    ).toEqual([
      'revoke all on database "shop" from public, "shop_app"',
      'grant create on database "shop" to "shop_app"',
      'grant connect on database "shop" to public',
      'grant temporary on database "shop" to "Reader" with grant option',
    ])
  })

  test('all taken away: that is a state too', () => {
    expect(statements([], [])).toEqual(['revoke all on database "shop" from public, "shop_app"'])
  })

  test('a privilege that is not known does not get into a statement', () => {
    expect(() => statements([], [{ grantee: null, privilege: 'ALL; drop', grantable: false }])).toThrow()
  })
})

test('are read from the server', async () => {
  const settings = [{ role: null, setting: 'work_mem=64MB' }]
  const grants = [{ grantee: null, privilege: 'CONNECT', grantable: false }]
  const postgres = new FakePostgres({ name: 'shop', settings, grants }, { name: 'blog' })
  const server = new FakeServer(postgres)
  expect(await readSettings(server, postgres.get('shop').oid)).toEqual({ settings, grants })
  expect(await readSettings(server, postgres.get('blog').oid)).toEqual({ settings: [], grants: null })
})

import { describe, expect, test } from 'vitest'

import { databasesText, ownSettings, withIncludes, withItem } from '../../../lib/pgbouncer/ini.ts'

const databases = '%include /etc/pgbouncer/hausmeister-databases.ini'
const settings = '%include /etc/pgbouncer/hausmeister.ini'

describe('our two lines', () => {
  test.each([
    ['an empty file', '', `[databases]\n${databases}\n[pgbouncer]\n${settings}\n`],
    [
      'at the end of their sections, before what separates them',
      '; mine\n[databases]\nold = host=h\n\n[users]\nu = pool_mode=session\n[pgbouncer]\nverbose = 1\n\n',
      `; mine\n[databases]\nold = host=h\n${databases}\n\n[users]\nu = pool_mode=session\n[pgbouncer]\nverbose = 1\n${settings}\n\n`,
    ],
    [
      'in the last section of a name, which is the one that counts',
      '[pgbouncer]\nverbose = 1\n[databases]\n[pgbouncer]\nverbose = 2\n',
      `[pgbouncer]\nverbose = 1\n[databases]\n${databases}\n[pgbouncer]\nverbose = 2\n${settings}\n`,
    ],
    [
      'after a line that somebody has added below them',
      `[databases]\n${databases}\n[pgbouncer]\n${settings}\npool_mode = session\n`,
      `[databases]\n${databases}\n[pgbouncer]\npool_mode = session\n${settings}\n`,
    ],
  ])('%s', (_, before, after) => {
    expect(withIncludes(before)).toBe(after)
    expect(withIncludes(after)).toBe(after)
  })
})

test('what the user has set: in the last section, without comments', () => {
  const ini =
    '[pgbouncer]\nverbose = 3\n[databases]\na = host=b\n[pgbouncer]\n;auth_file = no\n stats_users=a, b \n'
  expect(ownSettings(ini)).toEqual({ stats_users: 'a, b' })
})

test.each([
  [undefined, 'x'],
  ['a,b', 'a, b, x'],
  ['x, a', 'x, a'],
])('a list %j gets x once', (list, expected) => expect(withItem(list, 'x')).toBe(expected))

test('a database and where it is', () => {
  const text = databasesText([{ name: 'shop', host: '192.0.2.1', port: 5433 }])
  expect(text.split('\n').slice(1)).toEqual(['shop = host=192.0.2.1 port=5433 dbname=shop', ''])
})

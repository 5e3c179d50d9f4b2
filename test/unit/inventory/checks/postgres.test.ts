import { expect, test } from 'vitest'

import { changed, complaints } from '../sample.ts'

test.each([
  ['hosts', ['db', 'dbb'], ['hosts[1]: no host is called "dbb" | Did you mean "db"?']],
  ['hosts', ['db', 'db'], ['hosts[1]: "db" stands in the list twice']],
  [
    'databases/shop/owner',
    'shop-app',
    ['databases.shop.owner: no role under "roles" is called "shop-app" | Did you mean "shop_app"?'],
  ],
  [
    'replication',
    'shop-app',
    ['replication: no role under "roles" is called "shop-app" | Did you mean "shop_app"?'],
  ],
  [
    'databases/shop/shadow',
    'shop',
    [
      'databases.shop.shadow: the shadow is the database itself, and shadows are dropped',
      'access[2].database: no database is called "shop_shadow" | There are: all, shop, both',
    ],
  ],
  [
    'databases/both/shadow',
    'shop',
    ['databases.both.shadow: "shop" is a database of its own, and shadows are dropped'],
  ],
  [
    'databases/both/shadow',
    'shop_shadow',
    ['databases.both.shadow: "shop_shadow" is the shadow of "shop" already'],
  ],
  [
    'databases/both/shadow',
    'postgres',
    ['databases.both.shadow: "postgres" belongs to PostgreSQL, and shadows are dropped'],
  ],
  [
    'databases/template1',
    { owner: 'shop_app', environment: 'test' },
    ['databases.template1: "template1" is what PostgreSQL makes new databases from; no task may reset it'],
  ],
  [
    'pooler',
    { runtime: 'systemd', host: 'wep' },
    ['pooler.host: no host is called "wep" | Did you mean "web"?'],
  ],
  [
    'pooler',
    { runtime: 'compose', app: 'shoop', service: 'pgbouncer', directory: '/srv/pgbouncer' },
    ['pooler.app: no app is called "shoop" | Did you mean "shop"?'],
  ],
  [
    'pooler',
    { runtime: 'compose', app: 'worker', service: 'pgbouncer', directory: '/srv/pgbouncer' },
    ['pooler.app: the app "worker" runs by podman, so it has no compose file'],
  ],
  [
    'access/0/role',
    'shop',
    ['access[0].role: no role under "roles" is called "shop" | Did you mean "shop_app"?'],
  ],
  [
    'access/0/database',
    'shopp',
    ['access[0].database: no database is called "shopp" | Did you mean "shop"?'],
  ],
  [
    'access/0/from',
    'intern',
    [
      'access[0].from: "intern" is no network, no host and no range such as 192.0.2.0/24 | Did you mean "internal"?',
    ],
  ],
  [
    'access/0/from',
    '192.0.2.9',
    [
      'access[0].from: "192.0.2.9" is no network, no host and no range such as 192.0.2.0/24 | A single address is written 192.0.2.9/32',
    ],
  ],
  ['access/0/from', '10.0.0.9/24', ['access[0].from: has host bits set; the network is 10.0.0.0/24']],
  [
    'access/0/from',
    'unaddressed',
    ['access[0].from: "unaddressed" has no address in the inventory that a rule could name'],
  ],
])('postgres/main/%s = %j', async (path, value, expected) => {
  const found = await complaints(changed(`postgres/main/${path}`, value))
  expect(found).toEqual(expected.map((line) => `postgres.main.${line}`))
})

test('via names a host', async () => {
  expect(await complaints(changed('postgres/managed/via', 'wbe'))).toEqual([
    'postgres.managed.via: no host is called "wbe" | Did you mean "web"?',
  ])
})

test('a container stands on a host, and behind no pooler', async () => {
  expect(await complaints(changed('postgres/boxed/container/host', 'wbe'))).toEqual([
    'postgres.boxed.container.host: no host is called "wbe" | Did you mean "web"?',
  ])
  expect(await complaints(changed('postgres/boxed/pooler', { runtime: 'systemd', host: 'web' }))).toEqual([
    'postgres.boxed.pooler: no pooler stands before a PostgreSQL in a container, whose address changes',
  ])
})

import { expect, test } from 'vitest'

import { changed, complaints } from '../sample.ts'

test.each([
  ['host', 'webb', ['host: no host is called "webb" | Did you mean "web"?']],
  [
    'database',
    { cluster: 'mian', name: 'shop' },
    ['database.cluster: no cluster under "postgres" is called "mian" | Did you mean "main"?'],
  ],
  [
    'database',
    { cluster: 'main', name: 'shops' },
    ['database.name: the cluster "main" has no database "shops" | Did you mean "shop"?'],
  ],
  [
    'database',
    { cluster: 'managed', name: 'shop' },
    ['database.name: the cluster "managed" has no database "shop" | There is one in the cluster "main"'],
  ],
  [
    'database',
    { cluster: 'managed', name: 'both' },
    ['database.name: the app is development but the database "both" is production'],
  ],
])('apps/shop/%s = %j', async (path, value, expected) => {
  const found = await complaints(changed(`apps/shop/${path}`, value))
  expect(found).toEqual(expected.map((line) => `apps.shop.${line}`))
})

test('a development app may use a test database: neither is production', async () => {
  expect(await complaints(changed('apps/shop/database', { cluster: 'main', name: 'both' }))).toEqual([])
})

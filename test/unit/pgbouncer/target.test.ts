import { expect, test } from 'vitest'

import { listenAddresses, poolerPreflight, routesOf } from '../../../lib/pgbouncer/target.ts'
import { shopEstate } from '../postgres/reset/shop.ts'

const pooler = { runtime: 'systemd', host: 'pg-2' }

test('listens for itself, and for the machines of the apps', async () => {
  const estate = await shopEstate({ 'postgres/main/pooler': pooler })
  const entry = estate.cluster('main').pooler
  if (!entry) throw new Error('the shop has no pooler')
  expect(listenAddresses(estate, 'main', entry)).toEqual(['127.0.0.1', '192.0.2.2'])
})

test('finds the databases on the machine that is the primary', async () => {
  const estate = await shopEstate({ 'postgres/main/pooler': pooler })
  expect(routesOf(estate, 'main', 'pg-2', 'pg-1')).toEqual([{ name: 'shop', host: '192.0.2.1', port: 5432 }])
})

test.each([
  [{}, 'postgres.main in /estate/inventory.json has no pooler'],
  [
    { 'postgres/main/pooler': pooler, 'postgres/main/roles/shop_app/password': undefined },
    'role shop_app has no password',
  ],
  [
    {
      'postgres/main/pooler': pooler,
      'postgres/main/databases': { 'a b': { owner: 'shop_app', environment: 'test' } },
      'apps/shop/database': undefined,
    },
    'cannot name the database "a b"',
  ],
])('%j is told before anything is done', async (changes, problem) => {
  const { problems } = poolerPreflight(await shopEstate(changes), 'main')
  expect(problems).toEqual([expect.stringContaining(problem)])
})

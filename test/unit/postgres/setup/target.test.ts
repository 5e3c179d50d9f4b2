import { expect, test } from 'vitest'

import { setupPreflight, setupTarget, wantedRoles } from '../../../../lib/postgres/setup/target.ts'
import { shopEstate } from '../reset/shop.ts'

test('the only cluster need not be named; of two, one must be', async () => {
  expect(setupTarget(await shopEstate(), undefined).name).toBe('main')
  const two = await shopEstate({ 'postgres/other': { hosts: ['pg-2'] } })
  expect(() => setupTarget(two, undefined)).toThrow(/has 2 clusters: main, other/)
  expect(setupTarget(two, 'other').name).toBe('other')
  expect(() => setupTarget(two, 'othr')).toThrow(/has no PostgreSQL cluster "othr"/)
})

test('a managed server is told in one line', async () => {
  const estate = await shopEstate({ 'postgres/main': { url: 'env:URL', databases: {} }, apps: {} })
  expect(() => setupTarget(estate, 'main')).toThrow(/^main is a managed server: its provider installs it/)
})

test('a password that not every client can send is a problem, and is not shown', async () => {
  const estate = await shopEstate({}, { SHOP_PASSWORD: 'straße 1' })
  const { problems, secrets } = setupPreflight(estate, setupTarget(estate, 'main'))
  expect(problems).toEqual([
    expect.stringMatching(/password of shop_app in postgres.main \(env:SHOP_PASSWORD\)/),
  ])
  expect(problems.join()).not.toContain('straße')
  expect(secrets).toEqual(['env:SHOP_PASSWORD'])
})

test('a role logs in when it has a password or a rule, and replicates when it is that role', async () => {
  const estate = await shopEstate(
    {
      'postgres/main/roles': {
        shop_app: { password: 'env:SHOP_PASSWORD' },
        peer: {},
        group: {},
        standby: {},
      },
      'postgres/main/replication': 'standby',
      'postgres/main/access': [{ role: 'peer', database: 'all', from: 'lan' }],
    },
    { SHOP_PASSWORD: 'secret' },
  )
  expect(wantedRoles(estate, setupTarget(estate, 'main').cluster)).toEqual([
    { name: 'shop_app', password: 'secret', login: true, replication: false },
    { name: 'peer', password: undefined, login: true, replication: false },
    { name: 'group', password: undefined, login: false, replication: false },
    { name: 'standby', password: undefined, login: false, replication: true },
  ])
})

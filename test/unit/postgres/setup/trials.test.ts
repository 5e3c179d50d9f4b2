import { expect, test } from 'vitest'

import { setupTarget } from '../../../../lib/postgres/setup/target.ts'
import { loginTrials } from '../../../../lib/postgres/setup/trials.ts'
import { shopEstate } from '../reset/shop.ts'

const outside = { 'hosts/printer': { addresses: { lan: '192.0.2.200' } } }

async function trials(access: unknown, changes: Record<string, unknown> = {}) {
  const estate = await shopEstate({ 'postgres/main/access': access, ...changes })
  const { trials: all, untried } = loginTrials(estate, setupTarget(estate, 'main').cluster, 'pg-1')
  const told = all.map(
    ({ role, database, allowed, from }) =>
      `${allowed ? '' : 'not '}${role} to ${database} from ${from.map(({ host, network }) => `${host}/${network}`).join(', ')}`,
  )
  return { told, untried }
}

test('a host tries its own rule; one that no rule names is refused', async () => {
  const { told } = await trials([{ role: 'shop_app', database: 'shop', from: 'vm-app' }], outside)
  expect(told).toEqual([
    'shop_app to shop from vm-app/lan',
    'not shop_app to shop from pg-2/lan, printer/lan, pg-1/lan',
  ])
})

test('a host in two networks tries both', async () => {
  const { told } = await trials([{ role: 'shop_app', database: 'shop', from: 'vm-app' }], {
    'networks/inner': { cidr: '10.0.0.0/24' },
    'hosts/vm-app': { addresses: { lan: '192.0.2.4', inner: '10.0.0.4' } },
    'hosts/pg-1': { addresses: { lan: '192.0.2.1', inner: '10.0.0.1' } },
  })
  expect(told.slice(0, 2)).toEqual(['shop_app to shop from vm-app/lan', 'shop_app to shop from vm-app/inner'])
  expect(told.slice(2)).toEqual([
    'not shop_app to shop from pg-2/lan, pg-1/lan',
    'not shop_app to shop from pg-1/inner',
  ])
})

test('for a network, the machine of the app goes first; where every machine may, another database is refused', async () => {
  const { told } = await trials([{ role: 'shop_app', database: 'all', from: 'lan' }])
  expect(told).toEqual(['shop_app to shop from vm-app/lan, pg-2/lan, pg-1/lan'])
  const one = await trials([{ role: 'shop_app', database: 'shop', from: 'lan' }])
  expect(one.told[1]).toBe('not shop_app to postgres from pg-2/lan, vm-app/lan, pg-1/lan')
})

test('what nobody can try is told', async () => {
  const { told, untried } = await trials(
    [
      { role: 'shop_app', database: 'shop', from: '203.0.113.0/24' },
      { role: 'nobody', database: 'shop', from: 'lan' },
    ],
    { 'postgres/main/roles/nobody': {} },
  )
  expect(untried).toEqual([
    'shop_app to shop from 203.0.113.0/24: no machine of the estate has an address there that can reach pg-1',
    'nobody to shop from lan: the role has no password',
  ])
  expect(told).toHaveLength(1)
})

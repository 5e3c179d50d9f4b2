import { afterEach, expect, test } from 'vitest'

import { rotatePreflight, rotateTarget } from '../../../../lib/postgres/rotate/target.ts'
import { shopEstate } from '../reset/shop.ts'

const flags = { cluster: 'main', role: 'shop_app', ask: false }

afterEach(() => {
  delete process.env['SHOP_PASSWORD']
})

test('the variable, the apps and the database of a role', async () => {
  const target = rotateTarget(await shopEstate(), flags)
  expect(target).toMatchObject({
    variable: 'SHOP_PASSWORD',
    previous: 'SHOP_PASSWORD_PREVIOUS',
    database: 'shop',
    isReplication: false,
  })
  expect(target?.apps.map(({ name }) => name)).toEqual(['shop'])
})

test('nothing speaks against it', async () => {
  const { problems, reach } = rotatePreflight(
    await shopEstate({ 'apps/shop/envFile': '/srv/shop/.env' }),
    flags,
  )
  expect(problems).toEqual([])
  expect(reach).toEqual([
    [
      { host: 'pg-1', as: 'postgres' },
      { host: 'pg-2', as: 'postgres' },
    ],
    [{ host: 'vm-app', as: 'root' }],
  ])
})

test.each(['nobody', 'constructor'])('there is no role %s', async (role) => {
  const { problems } = rotatePreflight(await shopEstate(), { ...flags, role })
  expect(problems).toEqual([
    expect.stringContaining(`no role "${role}" with a password; there are: shop_app`),
  ])
})

test('a variable of the environment would win over what is written', async () => {
  process.env['SHOP_PASSWORD'] = 'x'
  const { problems } = rotatePreflight(await shopEstate(), flags)
  expect(problems).toEqual([expect.stringContaining('SHOP_PASSWORD is set in the environment')])
})

test('a password of two roles is not changed for one of them', async () => {
  const roles = { shop_app: { password: 'env:SHOP_PASSWORD' }, report: { password: 'env:SHOP_PASSWORD' } }
  const { problems } = rotatePreflight(await shopEstate({ 'postgres/main/roles': roles }), flags)
  expect(problems).toEqual([expect.stringContaining('is the password of report of main too')])
})

import { describe, expect, test } from 'vitest'

import { EstateError } from '../../../../lib/inventory/errors.ts'
import { resetPreflight, type ResetFlags } from '../../../../lib/postgres/reset/target.ts'
import { databaseTarget } from '../../../../lib/postgres/target.ts'
import { resetFlags, shopEstate, shopInventory } from './shop.ts'

async function problems(
  flags: Partial<ResetFlags>,
  changes: Record<string, unknown> = {},
): Promise<string[]> {
  return resetPreflight(await shopEstate(changes), resetFlags(flags)).problems
}

const production = {
  'postgres/main/databases/shop/environment': 'production',
  'apps/shop/environment': 'production',
}

describe('the target', () => {
  test('is the database with the app that fills it', async () => {
    expect(databaseTarget(await shopEstate(), 'shop')).toMatchObject({
      name: 'shop',
      cluster: 'main',
      database: { owner: 'shop_app', shadow: 'shop_shadow' },
      app: { name: 'shop', entry: { migrate: 'npm run migrate' } },
    })
  })

  test('an app that only uses it does not fill it', async () => {
    const changes = { 'apps/shop/migrate': undefined, 'apps/shop/seed': undefined }
    expect(databaseTarget(await shopEstate(changes), 'shop').app).toBeUndefined()
  })

  test('must be in the inventory', async () => {
    const estate = await shopEstate()
    expect(() => databaseTarget(estate, 'shopp')).toThrow(EstateError)
    expect(() => databaseTarget(estate, 'shop_shadow')).toThrow('has no database "shop_shadow"')
  })

  test('has its cluster said where two have one of that name', async () => {
    const twin = {
      url: 'env:PG_URL',
      databases: { shop: { owner: 'o', environment: 'test' } },
      roles: { o: {} },
    }
    const estate = await shopEstate({ 'postgres/cloud': twin })
    expect(() => databaseTarget(estate, 'shop')).toThrow('2 clusters have a database "shop"')
    expect(databaseTarget(estate, 'cloud/shop')).toMatchObject({ name: 'shop', cluster: 'cloud' })
  })
})

describe('production', () => {
  const sentence = 'shop is a production database; if you mean it, say so with --confirm shop'

  test('needs its name once more', async () => {
    expect(await problems({}, production)).toEqual([sentence])
    expect(await problems({ undo: true }, production)).toEqual([sentence])
    expect(await problems({ discardKept: true }, production)).toEqual([sentence])
    expect(await problems({ confirm: 'shop' }, production)).toEqual([])
  })

  test('and the right one', async () => {
    expect(await problems({ confirm: 'shopp' }, production)).toEqual([
      '--confirm shopp does not name the database shop',
    ])
  })
})

describe('problems', () => {
  test('none', async () => {
    expect(await problems({})).toEqual([])
    expect(await problems({ confirm: 'shop', discard: true })).toEqual([])
  })

  test('--confirm for another database is a mistake, whatever the environment', async () => {
    expect(await problems({ confirm: 'blog' })).toEqual(['--confirm blog does not name the database shop'])
  })

  test.each<Partial<ResetFlags>>([
    { discard: true },
    { discardKept: true },
    { skipMigrate: true },
    { skipSeed: true },
  ])('--undo with %o', async (other) => {
    expect(await problems({ undo: true, ...other })).toContain(
      '--undo goes with --database, --confirm and the common flags only',
    )
  })

  test.each<Partial<ResetFlags>>([{ discard: true }, { skipMigrate: true }, { skipSeed: true }])(
    '--discard-kept with %o',
    async (other) => {
      expect(await problems({ discardKept: true, ...other })).toEqual([
        '--discard-kept removes old copies only; run it by itself',
      ])
    },
  )

  test('two apps that both want to fill it', async () => {
    const [found, ...rest] = await problems({}, { 'apps/worker': shopInventory.apps.shop })
    expect(found).toBe('shop and worker both have migrate or seed commands for shop; one must own its schema')
    expect(rest).toEqual([])
  })

  test('an app and its database of different environments', async () => {
    expect(await problems({}, { 'apps/shop/environment': 'staging' })).toEqual([
      'app shop is staging, and its database shop is development: one of the two is wrong in /estate/inventory.json',
    ])
  })

  test('no way to fill it: told together', async () => {
    expect(await problems({}, { 'apps/shop': undefined })).toEqual([
      'no app in /estate/inventory.json has a migrate command for shop; add it to apps, or give --skip-migrate',
      'no app in /estate/inventory.json has a seed command for shop; add it to apps, or give --skip-seed',
    ])
    expect(await problems({ skipMigrate: true, skipSeed: true }, { 'apps/shop': undefined })).toEqual([])
    expect(await problems({ skipSeed: true }, { 'apps/shop/migrate': undefined })).toEqual([
      expect.stringContaining('has a migrate command for shop'),
    ])
  })

  test('a role whose login could not be proven', async () => {
    expect(await problems({}, { 'postgres/main/roles/shop_app': {} })).toEqual([
      'role shop_app has no password in /estate/inventory.json: its login could not be proven',
    ])
  })

  test('a name that leaves no room for a time', async () => {
    const long = 's'.repeat(40)
    const changes = {
      [`postgres/main/databases/${long}`]: { owner: 'shop_app', environment: 'development' },
      'apps/shop/database/name': long,
    }
    expect(await problems({ database: long }, changes)).toEqual([
      expect.stringContaining('bytes too long for a database name'),
    ])
    expect(await problems({ database: long, undo: true }, changes)).toEqual([])
  })
})

describe('what will be needed', () => {
  test('for a reset: the servers as postgres, the machine of the app, the password of the owner', async () => {
    expect(resetPreflight(await shopEstate(), resetFlags())).toMatchObject({
      secrets: ['env:SHOP_PASSWORD'],
      reach: [
        [
          { host: 'pg-1', as: 'postgres' },
          { host: 'pg-2', as: 'postgres' },
        ],
        [{ host: 'vm-app' }],
      ],
    })
  })

  test('to undo it: the servers alone', async () => {
    const { secrets, reach } = resetPreflight(await shopEstate(), resetFlags({ undo: true }))
    expect(secrets).toEqual([])
    expect(reach.flat().map(({ host }) => host)).toEqual(['pg-1', 'pg-2'])
  })

  test('for a managed server: its URL, and the machine that it is reached through', async () => {
    const managed = {
      url: 'env:PG_URL',
      via: 'vm-app',
      databases: { shop: { owner: 'shop_app', environment: 'development' } },
      roles: { shop_app: { password: 'env:SHOP_PASSWORD' } },
    }
    const estate = await shopEstate({ 'postgres/main': managed })
    expect(resetPreflight(estate, resetFlags({ undo: true }))).toMatchObject({
      secrets: ['env:PG_URL'],
      reach: [[{ host: 'vm-app' }]],
    })
  })
})

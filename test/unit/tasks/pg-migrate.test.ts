import { describe, expect, test } from 'vitest'

import { task } from '../../../tasks/pg-migrate.ts'
import { shopEstate } from '../postgres/reset/shop.ts'
import { play } from './play.ts'
import { ShopMachines } from './shop-machines.ts'

const init = { name: '1_init', state: 'applied', log: null }

function migrate(shop: ShopMachines, flags = {}, dryRun = false, changes = {}) {
  return shopEstate({ 'apps/shop/envFile': '.env', ...changes }).then((estate) =>
    play(task, estate, { database: 'shop', ...flags }, shop.script, dryRun),
  )
}

/** A shop whose migrate command applies all that is pending. */
function shopThatMigrates(): ShopMachines {
  const shop = new ShopMachines({ migrations: [init] })
  shop.command = () => {
    shop.apply('2_size')
    return 0
  }
  return shop
}

test('what is pending is named, applied where the app runs, and looked for; the second run finds nothing to do', async () => {
  const shop = shopThatMigrates()
  const { error, told, events, changes } = await migrate(shop)
  expect(error).toBeUndefined()
  expect(told).toContain('pending: 1\n  2_size')
  expect(shop.commands).toEqual(['vm-app (shop): npm run migrate'])
  expect(changes).toHaveLength(1)
  expect(events).toContainEqual(
    expect.objectContaining({ title: 'Prove that shop is up to date', detail: '1 applied, none is pending' }),
  )

  const again = await migrate(shop)
  expect(again).toMatchObject({ error: undefined, changes: [] })
  expect(again.told).toContain('nothing is pending in shop')
  expect(shop.commands).toHaveLength(1)
})

test('a dry run tells the command and runs nothing', async () => {
  const shop = shopThatMigrates()
  const { error, changes } = await migrate(shop, {}, true)
  expect(error).toBeUndefined()
  expect(shop.commands).toEqual([])
  expect(changes).toMatchObject([{ state: 'would', command: 'npm run migrate   # vm-app, /srv/shop' }])
})

test('without a folder in the inventory it cannot be told, so the command runs', async () => {
  const shop = new ShopMachines({ migrations: [init] })
  const { error } = await migrate(shop, {}, false, { 'apps/shop/migrations': undefined })
  expect(error).toBeUndefined()
  expect(shop.commands).toHaveLength(1)
})

describe('nothing is run', () => {
  test.each<[string, (shop: ShopMachines) => void, RegExp, number]>([
    [
      'after a failed migration',
      ({ postgres }) =>
        postgres.get('shop').migrations?.push({ name: '2_size', state: 'failed', log: 'no column size' }),
      /P3009\): 2_size/,
      1,
    ],
    [
      'while another one is at work',
      ({ postgres }) => postgres.get('shop').migrating.push({ pid: 7, address: '192.0.2.4', seconds: 3 }),
      /a migration is still at work/,
      1,
    ],
    [
      'through a pooler',
      (shop) => (shop.settings = 'DIRECT_URL=postgresql://shop_app:secret@pgbouncer:6432/shop\n'),
      /no server of main but a pooler/,
      2,
    ],
    [
      'when the server says production',
      ({ postgres }) => (postgres.get('shop').comment = '[hausmeister environment=production]'),
      /itself says that it is production/,
      2,
    ],
    [
      'after a reset that did not finish',
      ({ postgres }) => (postgres.get('shop').comment = '[hausmeister reset=closing]'),
      /a reset of shop on pg-1 did not finish/,
      1,
    ],
  ])('%s', async (_, prepare, message, code) => {
    const shop = shopThatMigrates()
    prepare(shop)
    const { error, changes } = await migrate(shop)
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    expect({ changes, commands: shop.commands }).toEqual({ changes: [], commands: [] })
  })

  test('on production without --confirm, and with the wrong one', async () => {
    const production = {
      'postgres/main/databases/shop/environment': 'production',
      'apps/shop/environment': 'production',
    }
    const shop = shopThatMigrates()
    shop.postgres.get('shop').comment = null
    expect((await migrate(shop, {}, false, production)).error?.message).toContain('--confirm shop')
    expect((await migrate(shop, { confirm: 'shp' }, false, production)).error?.code).toBe(2)
    expect(shop.commands).toEqual([])
    expect((await migrate(shop, { confirm: 'shop' }, false, production)).error).toBeUndefined()
  })

  test('without a migrate command in the inventory', async () => {
    const { error } = await migrate(shopThatMigrates(), {}, false, { 'apps/shop/migrate': undefined })
    expect(error?.message).toContain('has a migrate command for shop')
  })
})

test('a command that fails: how far it came, and the ways out', async () => {
  const shop = new ShopMachines({ migrations: [init] })
  shop.folder.push('3_name')
  shop.command = (_, { complain }) => {
    shop.apply('2_size')
    shop.postgres.get('shop').migrations?.push({ name: '3_name', state: 'failed', log: 'no' })
    complain('Error: P3018\n')
    return 1
  }
  const { error } = await migrate(shop)
  expect(error).toMatchObject({ code: 1, seen: expect.stringContaining('P3018') })
  expect(error?.message).toContain('shop so far: applied: 2_size; failed: 3_name')
  expect(error?.message).toContain(
    'on vm-app as shop: cd /srv/shop && npx prisma migrate resolve --applied 3_name',
  )
  expect(error?.message).toContain('pg-reset.ts --database shop')
})

test('a command that was cut off while the server is still at it: nothing is to be resolved yet', async () => {
  const shop = new ShopMachines({ migrations: [init] })
  shop.command = () => {
    shop.postgres.get('shop').migrations?.push({ name: '2_size', state: 'failed', log: null })
    shop.postgres.get('shop').migrating.push({ pid: 7, address: '192.0.2.4', seconds: 3 })
    return 143
  }
  const { error } = await migrate(shop)
  expect(error?.message).toContain('begun and not ended: 2_size; a migration is still at work')
  expect(error?.message).not.toContain('resolve')
})

test('a command that ends well and does nothing is no success', async () => {
  const { error } = await migrate(new ShopMachines({ migrations: [init] }))
  expect(error?.message).toContain('these are pending in shop still: 2_size')
})

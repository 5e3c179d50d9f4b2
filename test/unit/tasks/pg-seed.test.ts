import { expect, test } from 'vitest'

import { task } from '../../../tasks/pg-seed.ts'
import { shopEstate } from '../postgres/reset/shop.ts'
import { play } from './play.ts'
import { ShopMachines } from './shop-machines.ts'

async function seed(shop: ShopMachines, dryRun = false) {
  return play(task, await shopEstate(), { database: 'shop' }, shop.script, dryRun)
}

/** A shop whose seed command adds an order. */
function shopThatSeeds(): ShopMachines {
  const shop = new ShopMachines({
    migrations: ['1_init', '2_size'].map((name) => ({ name, state: 'applied', log: null })),
  })
  shop.rows = { orders: 0, sizes: 3 }
  shop.command = () => {
    shop.rows['orders'] = 1
    return 0
  }
  return shop
}

test('the rows before and after, as text and as data', async () => {
  const shop = shopThatSeeds()
  const { error, told, events, changes } = await seed(shop)
  expect(error).toBeUndefined()
  expect(shop.commands).toEqual(['vm-app (shop): npm run seed'])
  expect(changes).toHaveLength(1)
  expect(told).toContain('public.orders 0 → 1\nas before: public.sizes 3')
  expect(events).toContainEqual(
    expect.objectContaining({
      name: 'row-counts',
      data: {
        database: 'shop',
        before: { 'public.orders': 0, 'public.sizes': 3 },
        after: { 'public.orders': 1, 'public.sizes': 3 },
      },
    }),
  )
})

test('a dry run only tells the command', async () => {
  const shop = shopThatSeeds()
  const { error, changes } = await seed(shop, true)
  expect(error).toBeUndefined()
  expect(shop.commands).toEqual([])
  expect(changes).toMatchObject([{ state: 'would', command: 'npm run seed   # vm-app, /srv/shop' }])
})

test('on a schema that is not up to date: a warning, and the seed is tried', async () => {
  const shop = shopThatSeeds()
  shop.folder.push('3_name')
  const { told } = await seed(shop)
  expect(told).toContain('the seed may fail on it')
  expect(shop.commands).toHaveLength(1)
})

test('without a table to look at, nothing is run', async () => {
  const shop = shopThatSeeds()
  shop.rows = {}
  expect((await seed(shop)).error?.message).toContain('shop has no table that our role may read')
  expect(shop.commands).toEqual([])
})

test('a seed that fails half-way: what is there now', async () => {
  const shop = shopThatSeeds()
  shop.command = (_, { complain }) => {
    shop.rows['orders'] = 1
    complain('no such world\n')
    return 1
  }
  const { error } = await seed(shop)
  expect(error).toMatchObject({ code: 1, seen: expect.stringContaining('no such world') })
  expect(error?.message).toMatch(/nothing was taken back:\npublic\.orders 0 → 1/)
})

test('a seed that ends well and leaves everything empty is no success', async () => {
  const shop = shopThatSeeds()
  shop.rows = { orders: 0 }
  shop.command = () => 0
  expect((await seed(shop)).error?.message).toContain('the seed ended well, and no table of shop has a row')
})

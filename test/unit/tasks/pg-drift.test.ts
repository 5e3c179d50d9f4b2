import { describe, expect, test } from 'vitest'

import type { SchemaObject } from '../../../lib/postgres/drift/schema.ts'
import { task } from '../../../tasks/pg-drift.ts'
import type { Call, Script } from '../doubles.ts'
import { type FakeDatabase, FakePostgres } from '../postgres/fake-postgres.ts'
import { psqlOn } from '../postgres/psql.ts'
import { shopEstate } from '../postgres/reset/shop.ts'
import { play } from './play.ts'

const table = (name: string): SchemaObject => ({
  kind: 'table',
  name: `public.${name}`,
  within: 'public',
  definition: '',
})
const schema: SchemaObject = { kind: 'schema', name: 'public', within: null, definition: '' }

/** A shop whose migration `1_orders` makes a table `orders`, and so on. */
class DriftingShop {
  readonly postgres: FakePostgres
  folder = ['1_orders', '2_sizes']
  /** Migrations that the server refuses. */
  refused = ''
  /** Tables of the live database. */
  live = ['orders', 'sizes']
  #shadow: string[] = []
  readonly #standby = new FakePostgres()

  constructor(shop: Partial<FakeDatabase> = {}) {
    const migrations = this.folder.map((name) => ({ name, state: 'applied', log: null }))
    this.postgres = new FakePostgres(
      { name: 'shop', owner: 'shop_app', migrations, ...shop },
      { name: 'shop_shadow', owner: 'shop_app' },
    )
    this.#standby.standby = true
    this.postgres.before = (statement) => {
      if (statement.startsWith('drop database "shop_shadow"')) this.#shadow = []
    }
  }

  readonly script = (machine: string): Script => {
    return async (call) => {
      const { script, say } = call
      if (script.includes('psql')) return this.#psql(machine, call)
      if (script.includes('flock')) {
        say('held\n')
        await call.input()
      }
      const mark = /-- [0-9a-f]{32} /.exec(script)?.[0]
      if (mark) say(this.folder.map((name) => `${mark}${name}\ncreate ${name};\n`).join(''))
      return 0
    }
  }

  async #psql(machine: string, call: Call): Promise<number> {
    const text = await call.input()
    if (text.includes('materialized')) {
      const tables = call.script.includes('shop_shadow') ? this.#shadow : this.live
      call.say(JSON.stringify([{ objects: [schema, ...tables.map((name) => table(name))] }]))
      return 0
    }
    const migration = /create \d+_(\w+);/.exec(text)?.[1]
    if (migration !== undefined) {
      expect(call.script).toContain('shop_shadow')
      if (migration === this.refused) {
        call.complain('ERROR:  no such table\n')
        return 3
      }
      this.#shadow.push(migration)
      return 0
    }
    const server = machine === 'pg-1' ? this.postgres : this.#standby
    return psqlOn(server)({ ...call, input: async () => text })
  }

  get shadow(): readonly string[] {
    return this.#shadow
  }
}

async function drift(shop: DriftingShop, dryRun = false, changes = {}) {
  return play(task, await shopEstate(changes), { database: 'shop' }, shop.script, dryRun)
}

test('no drift: the shadow was filled, and is empty again', async () => {
  const shop = new DriftingShop()
  const { error, told, changes } = await drift(shop)
  expect(error).toBeUndefined()
  expect(told).toContain('shop is what its migrations make')
  expect(shop.shadow).toEqual([])
  expect(changes.map(({ command }) => command)).toEqual([
    'psql postgres',
    'psql shop_shadow as shop_app < 1_orders',
    'psql shop_shadow as shop_app < 2_sizes',
    'psql postgres',
  ])
  expect(shop.postgres.transcript.filter((line) => line.includes('"shop"'))).toEqual([])
})

test('drift: each difference, as text and as data, and exit code 1', async () => {
  const shop = new DriftingShop()
  shop.live = ['orders', 'old']
  const { error, told, events } = await drift(shop)
  expect(error).toMatchObject({ code: 1, message: '2 differences between shop and its 2 migrations' })
  expect(error?.next).toContain('pg-reset.ts --database shop')
  expect(told).toContain('surplus table public.old')
  expect(told).toContain('missing table public.sizes')
  expect(events).toContainEqual(
    expect.objectContaining({ name: 'schema-drift', data: expect.objectContaining({ stuck: null }) }),
  )
  expect(shop.shadow).toEqual([])
})

test('a migration is pending: what it makes is missing, and the next step is to migrate', async () => {
  const shop = new DriftingShop()
  shop.folder.push('3_colours')
  const { error, told } = await drift(shop)
  expect(told).toContain('3 migrations, 1 pending (3_colours), 0 failed')
  expect(told).toContain('missing table public.colours')
  expect(error?.next).toContain('pg-migrate.ts --database shop')
})

test('a migration that does not run: compared with those before it, and said so', async () => {
  const shop = new DriftingShop()
  shop.refused = 'sizes'
  const { error, told } = await drift(shop)
  expect(error?.message).toBe('1 differences, and the migrations end at 2_sizes of 2')
  expect(told).toContain('surplus table public.sizes')
  expect(told).toContain(
    '2_sizes does not run on what those before it make: PostgreSQL on pg-1: ERROR:  no such table',
  )
  expect(shop.shadow).toEqual([])
})

test('a dry run says what it would do, compares nothing and is no success of the comparison', async () => {
  const shop = new DriftingShop()
  shop.live = []
  const { error, told, changes } = await drift(shop, true)
  expect(error).toBeUndefined()
  expect(told).toContain('a dry run leaves shop_shadow as it is, so shop was compared with nothing')
  expect(changes.map(({ state }) => state)).toEqual(['would', 'would', 'would', 'would'])
  expect(shop.postgres.transcript).toEqual([])
})

describe('nothing is touched', () => {
  test.each<[string, (shop: DriftingShop) => void, string]>([
    [
      'when the shadow says that it is production',
      ({ postgres }) => (postgres.get('shop_shadow').comment = '[hausmeister environment=production]'),
      'shop_shadow on pg-1 is marked as production',
    ],
    [
      'when the database says something else than the inventory',
      ({ postgres }) => (postgres.get('shop').comment = '[hausmeister environment=production]'),
      'itself says that it is production',
    ],
    [
      'after a reset that did not finish',
      ({ postgres }) => (postgres.get('shop').comment = '[hausmeister reset=closing]'),
      'a reset of shop on pg-1 did not finish',
    ],
  ])('%s', async (_, prepare, message) => {
    const shop = new DriftingShop()
    prepare(shop)
    const { error, changes } = await drift(shop)
    expect(error?.message).toContain(message)
    expect(changes).toEqual([])
  })

  test('without a shadow, or a folder, in the inventory', async () => {
    const none = {
      'postgres/main/databases/shop': { owner: 'shop_app', environment: 'development' },
      'apps/shop/migrations': undefined,
    }
    const { error } = await drift(new DriftingShop(), false, none)
    expect(error).toMatchObject({
      code: 2,
      message: expect.stringMatching(/has no shadow database[^]*names its folder of migrations/),
    })
  })

  test('production is compared as well: only its shadow is emptied', async () => {
    const shop = new DriftingShop({ comment: '[hausmeister environment=production]' })
    const { error } = await drift(shop, false, {
      'postgres/main/databases/shop/environment': 'production',
      'apps/shop/environment': 'production',
    })
    expect(error).toBeUndefined()
  })
})

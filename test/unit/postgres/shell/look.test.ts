import { describe, expect, test } from 'vitest'

import type { Environment } from '../../../../lib/inventory/inventory.ts'
import { lookAround } from '../../../../lib/postgres/shell/look.ts'
import { estateOf, failure } from '../../doubles.ts'
import { type FakeDatabase, FakePostgres, FakeServer } from '../fake-postgres.ts'

async function look(
  flags: { database?: string; environment?: Environment },
  databases: (Partial<FakeDatabase> & { name: string })[] = [{ name: 'shop' }, { name: 'trial' }],
) {
  const estate = await estateOf({
    hosts: { 'pg-1': {} },
    postgres: {
      main: {
        hosts: ['pg-1'],
        roles: { shop: {} },
        databases: {
          shop: { owner: 'shop', environment: 'production' },
          trial: { owner: 'shop', environment: 'test' },
        },
      },
    },
  })
  const server = new FakeServer(new FakePostgres(...databases))
  const { database, environment } = flags
  return lookAround(estate, server, { cluster: 'main', database, environment })
}

function marked(name: string, environment: string): { name: string; comment: string } {
  return { name, comment: `[hausmeister environment=${environment}]` }
}

test('production is told before the first statement', async () => {
  expect(await look({ database: 'shop', environment: 'production' })).toEqual({
    environment: 'production',
    warnings: ['shop is production: what you type is done at once, and nothing takes it back'],
  })
})

test('so is what the prompt cannot know: that one can go on to a graver database', async () => {
  expect(await look({ database: 'trial', environment: 'test' })).toEqual({
    environment: 'test',
    warnings: [String.raw`the prompt says test also after \c to shop (production) on the same server`],
  })
})

describe('when mark and inventory differ, the graver counts', () => {
  test.each<[Environment, Environment, Environment]>([
    ['test', 'production', 'production'],
    ['staging', 'development', 'staging'],
    ['development', 'staging', 'staging'],
  ])('%s and %s', async (inventory, mark, environment) => {
    const databases = [marked('trial', mark)]
    const found = await look({ database: 'trial', environment: inventory }, databases)
    expect(found.environment).toBe(environment)
    expect(found.warnings[0]).toBe(
      `trial is ${inventory} in /estate/inventory.json, and ${mark} by its mark on pg-1; one of the two is wrong`,
    )
  })

  test('the same in both is nothing to tell', async () => {
    const databases = [marked('shop', 'production')]
    const found = await look({ database: 'shop', environment: 'production' }, databases)
    expect(found.warnings).toHaveLength(1)
  })
})

describe('a database nobody could connect to', () => {
  test('is not there', async () => {
    const error = await failure(look({ database: 'shop' }, [{ name: 'other' }]))
    expect(error.message).toBe('there is no database shop on pg-1')
  })

  test('is closed', async () => {
    const error = await failure(look({ database: 'shop' }, [{ name: 'shop', open: false }]))
    expect(error.message).toBe('shop on pg-1 accepts no connections: a reset closed it, or somebody did')
  })
})

test('the maintenance database is always there', async () => {
  expect((await look({ environment: 'production' })).warnings).toEqual([
    'pg-1 is production: what you type is done at once, and nothing takes it back',
  ])
})

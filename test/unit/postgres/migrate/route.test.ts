import { describe, expect, test } from 'vitest'

import { endpointsOf, migrationRoute, refuseRoute } from '../../../../lib/postgres/migrate/route.ts'
import { databaseTarget } from '../../../../lib/postgres/target.ts'
import { shopEstate } from '../reset/shop.ts'

const password = Math.random().toString(36)
const url = (rest: string) => `postgresql://shop_app:${password}@${rest}`
const estate = await shopEstate({ 'apps/shop/envFile': '.env' })
const target = databaseTarget(estate, 'shop')
const endpoints = endpointsOf(estate, target)

function refusal(settings: Record<string, string>): { message: string; next: string | undefined } | 'none' {
  const route = migrationRoute(settings, endpoints)
  if (!route) throw new Error('no route')
  try {
    refuseRoute(route, 'pg-1', target, endpoints)
    return 'none'
  } catch (error) {
    expect(String(error)).not.toContain(password)
    if (!(error instanceof Error && 'next' in error)) throw error
    return { message: error.message, next: String(error.next) }
  }
}

describe('which URL counts', () => {
  test('DIRECT_URL before DATABASE_URL', () => {
    const both = { DATABASE_URL: url('pgbouncer:6432/shop'), DIRECT_URL: url('192.0.2.1:5432/shop') }
    expect(migrationRoute(both, endpoints)).toEqual({
      variable: 'DIRECT_URL',
      host: '192.0.2.1',
      port: 5432,
      database: 'shop',
      server: 'pg-1',
      pooler: undefined,
    })
    expect(migrationRoute({ DATABASE_URL: url('192.0.2.1/shop') }, endpoints)).toMatchObject({
      variable: 'DATABASE_URL',
      port: 5432,
    })
    expect(migrationRoute({ ...both, DIRECT_URL: '' }, endpoints)).toMatchObject({ variable: 'DATABASE_URL' })
  })

  test('none: nothing is known', () => {
    expect(migrationRoute({}, endpoints)).toBeUndefined()
    // As a compose file has it, where another program fills it in.
    expect(migrationRoute({ DATABASE_URL: '${URL}' }, endpoints)).toBeUndefined()
  })
})

describe('where it leads to', () => {
  test.each([
    ['192.0.2.1:5432/shop', 'pg-1'],
    ['PG-2:5432/shop', 'pg-2'],
    ['192.0.2.1:6432/shop', undefined],
    ['192.0.2.9/shop', undefined],
    ['127.0.0.1/shop', undefined],
  ])('%s is %s', (rest, server) => {
    expect(migrationRoute({ DATABASE_URL: url(rest) }, endpoints)?.server).toBe(server)
  })

  test('loopback is a server where the app runs on its machine', async () => {
    const beside = await shopEstate({ 'apps/shop/host': 'pg-2' })
    const near = endpointsOf(beside, databaseTarget(beside, 'shop'))
    expect(migrationRoute({ DATABASE_URL: url('[::1]:5432/shop') }, near)?.server).toBe('pg-2')
  })

  test('a managed cluster is what its URL says', async () => {
    const managed = await shopEstate(
      {
        'postgres/main': {
          url: 'env:PG_URL',
          databases: { shop: { owner: 'shop_app', environment: 'development' } },
          roles: { shop_app: {} },
        },
      },
      { PG_URL: 'postgresql://admin:x@db.example:5433/postgres' },
    )
    expect(endpointsOf(managed, databaseTarget(managed, 'shop'))).toEqual([
      { server: 'main', host: 'db.example', port: 5433 },
    ])
  })
})

describe('what is refused', () => {
  test('not the primary itself, nor a place that nobody knows', () => {
    expect(refusal({ DIRECT_URL: url('192.0.2.1/shop') })).toBe('none')
    expect(refusal({ DIRECT_URL: url('proxy.example:5432/shop') })).toBe('none')
  })

  test('a pooler, by its port or by what the URL says; with the right addresses', () => {
    expect(refusal({ DATABASE_URL: url('pgbouncer:6432/shop') })).toEqual({
      message: expect.stringMatching(
        /^DATABASE_URL in \.env on vm-app leads to pgbouncer:6432, which is no server of main but a pooler \(6432 is/,
      ),
      next: 'let DIRECT_URL (and directUrl in the schema) name the server itself, pg-1:5432 or 192.0.2.1:5432, for migrations',
    })
    expect(refusal({ DIRECT_URL: url('proxy.example:5432/shop?pgbouncer=true') })).toMatchObject({
      message: expect.stringContaining('it says pgbouncer=true'),
    })
  })

  test('the standby, and another database', () => {
    expect(refusal({ DIRECT_URL: url('192.0.2.2/shop') })).toMatchObject({
      message: expect.stringContaining('which is pg-2, and the primary of main is pg-1'),
    })
    expect(refusal({ DIRECT_URL: url('192.0.2.1/blog') })).toMatchObject({
      message: expect.stringContaining('to the database blog, not to shop'),
    })
  })
})

import { describe, expect, test } from 'vitest'

import type { Estate } from '../../../../lib/inventory/estate.ts'
import { type ShellFlags, shellNeeds, shellTarget } from '../../../../lib/postgres/shell/target.ts'
import { estateOf } from '../../doubles.ts'
import { shopEstate } from '../reset/shop.ts'

const twoClusters = {
  hosts: { 'vm-app': {}, 'pg-1': {} },
  postgres: {
    main: {
      hosts: ['pg-1'],
      roles: { shop: {} },
      databases: {
        shop: { owner: 'shop', environment: 'production' },
        trial: { owner: 'shop', environment: 'test' },
      },
    },
    cloud: {
      url: 'env:CLOUD_URL',
      via: 'vm-app',
      roles: { shop: {} },
      databases: { shop: { owner: 'shop', environment: 'staging' } },
    },
    bare: { url: 'env:CLOUD_URL' },
  },
}

function refusal(estate: Estate, flags: ShellFlags): string {
  try {
    shellTarget(estate, flags)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const more = Object(error)
    return [error.message, more.next ?? more.hint].filter(Boolean).join('\n')
  }
  throw new Error('it was not refused')
}

describe('which database', () => {
  test('the only one', async () => {
    const only = { cluster: 'main', database: 'shop', environment: 'development' }
    expect(shellTarget(await shopEstate(), {})).toEqual(only)
  })

  test('of several none is chosen', async () => {
    expect(refusal(await estateOf(twoClusters), {})).toBe(
      '/estate/inventory.json has 3 databases: main/shop, main/trial, cloud/shop\nsay which one with --database NAME',
    )
  })

  test('of none a cluster has to be named', async () => {
    expect(refusal(await estateOf({ postgres: { bare: twoClusters.postgres.bare } }), {})).toBe(
      '/estate/inventory.json has no PostgreSQL database\nsay which cluster with --cluster NAME',
    )
  })

  test.each<[ShellFlags, string | undefined, string]>([
    [{ database: 'trial' }, 'trial', 'test'],
    [{ database: 'cloud/shop' }, 'shop', 'staging'],
    [{ database: 'shop', cluster: 'main' }, 'shop', 'production'],
    [{ cluster: 'main' }, undefined, 'production'],
  ])('%j', async (flags, database, environment) => {
    expect(shellTarget(await estateOf(twoClusters), flags)).toMatchObject({ database, environment })
  })

  test('a cluster without databases is of no environment', async () => {
    const target = shellTarget(await estateOf(twoClusters), { cluster: 'bare' })
    expect(target).toEqual({ cluster: 'bare', database: undefined, environment: undefined })
  })

  test.each<[ShellFlags, RegExp]>([
    [{ database: 'tria' }, /no database "tria"[^]*trial/],
    [{ database: 'tria', cluster: 'main' }, /no database "main\/tria"[^]*main\/trial/],
    [{ database: 'shop', cluster: 'mian' }, /no PostgreSQL cluster "mian"[^]*main/],
    [{ database: 'shop' }, /2 clusters have a database "shop"[^]*main\/shop or cloud\/shop/],
  ])('%j is refused', async (flags, words) => {
    expect(refusal(await estateOf(twoClusters), flags)).toMatch(words)
  })
})

describe('what it takes', () => {
  test('one machine of the cluster, as postgres', async () => {
    const estate = await shopEstate()
    const reach = [['pg-1', 'pg-2'].map((host) => ({ host, as: 'postgres' }))]
    expect(shellNeeds(estate, shellTarget(estate, {}))).toEqual({ problems: [], secrets: [], reach })
  })

  test('for a managed server the machine that reaches it, and the URL', async () => {
    const estate = await estateOf(twoClusters)
    expect(shellNeeds(estate, shellTarget(estate, { cluster: 'cloud' }))).toEqual({
      problems: [],
      secrets: ['env:CLOUD_URL'],
      reach: [[{ host: 'vm-app' }]],
    })
  })

  test('without such a machine it says which line is missing', async () => {
    const estate = await estateOf(twoClusters)
    expect(shellNeeds(estate, shellTarget(estate, { cluster: 'bare' })).problems).toEqual([
      'bare is known by its URL alone, and psql has to run on a machine that reaches it: name one at postgres.bare.via in /estate/inventory.json',
    ])
  })
})

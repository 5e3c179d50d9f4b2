import { randomBytes } from 'node:crypto'

import { describe, expect, test } from 'vitest'

import { EstateError } from '../../../lib/inventory/errors.ts'
import { Estate } from '../../../lib/inventory/estate.ts'
import { Inventory } from '../../../lib/inventory/inventory.ts'
import { SecretRef } from '../../../lib/inventory/secrets.ts'
import { sample } from './sample.ts'

function estate(values: Record<string, string> = {}): Estate {
  const secrets = { file: '/x/.env', value: (name: string) => values[name], warnings: ['a warning'] }
  return new Estate(Inventory.parse(sample()), '/x/inventory.json', secrets)
}

function refusal(ask: () => unknown): string {
  try {
    ask()
  } catch (error) {
    if (error instanceof EstateError) return `${error.message} | ${error.hint}`
    throw error
  }
  throw new Error('nothing was refused')
}

test('says what it is and where it came from', () => {
  expect(estate()).toMatchObject({
    name: 'sample',
    file: '/x/inventory.json',
    secretsFile: '/x/.env',
    warnings: ['a warning'],
  })
})

describe('looking up by name', () => {
  test('finds hosts, clusters and apps', () => {
    expect(estate().host('db').vmid).toBe(101)
    expect(estate().cluster('main')).toMatchObject({ hosts: ['db'], port: 5432 })
    expect(estate().app('site').runtime).toBe('pm2')
  })

  test.each([
    ['host', () => estate().host('webb'), '/x/inventory.json has no host "webb" | Did you mean "web"?'],
    [
      'cluster',
      () => estate().cluster('mian'),
      '/x/inventory.json has no PostgreSQL cluster "mian" | Did you mean "main"?',
    ],
    [
      'app',
      () => estate().app('blog'),
      '/x/inventory.json has no app "blog" | There are: shop, worker, site, script',
    ],
    [
      'inherited name',
      () => estate().host('constructor'),
      '/x/inventory.json has no host "constructor" | There are: pve, db, web, alone, unaddressed, keep, desk',
    ],
  ])('an unknown %s', (_, ask, expected) => {
    expect(refusal(ask)).toBe(expected)
  })
})

describe('findDatabase', () => {
  test('tells the cluster with it', () => {
    const found = estate().findDatabase('shop')
    expect(found).toMatchObject({ clusterName: 'main', name: 'shop', database: { owner: 'shop_app' } })
    expect(found.cluster).toMatchObject({ hosts: ['db'] })
  })

  test('wants the cluster when two have one', () => {
    expect(refusal(() => estate().findDatabase('both'))).toBe(
      '2 clusters have a database "both" | Say which one: main/both or managed/both',
    )
    expect(estate().findDatabase('managed/both').database.environment).toBe('production')
  })

  test.each([
    ['shpo', '/x/inventory.json has no database "shpo" | Did you mean "shop"?'],
    [
      'shop_shadow',
      '/x/inventory.json has no database "shop_shadow" | It is the shadow database of "shop", which is recreated with it',
    ],
    ['main/shopp', '/x/inventory.json has no database "main/shopp" | Did you mean "main/shop"?'],
  ])('%s', (name, expected) => {
    expect(refusal(() => estate().findDatabase(name))).toBe(expected)
  })

  test('appsUsing', () => {
    expect(
      estate()
        .appsUsing('main', 'shop')
        .map(({ name }) => name),
    ).toEqual(['shop', 'worker'])
    expect(estate().appsUsing('managed', 'shop')).toEqual([])
  })
})

describe('addresses', () => {
  test.each([
    ['db', undefined, '192.0.2.2'],
    ['db', 'internal', '10.0.0.2'],
    ['pve', undefined, '10.0.0.1'],
    ['web', 'six', '2001:db8::3'],
  ])('of %s in %s', (host, network, expected) => {
    expect(estate().addressOf(host, network)).toBe(expected)
  })

  test.each([
    [
      'web',
      'lan',
      '"web" has no address in the network "lan" | Add it at hosts.web.addresses in /x/inventory.json',
    ],
    [
      'desk',
      undefined,
      '"desk" has no address in /x/inventory.json | Add it at hosts.desk.addresses in /x/inventory.json',
    ],
  ])('%s has none in %s', (host, network, expected) => {
    expect(refusal(() => estate().addressOf(host, network))).toBe(expected)
  })

  test.each([
    ['pve', 'db', '10.0.0.2'],
    ['web', 'db', '10.0.0.2'],
    ['web', 'alone', '2001:db8::4'],
    ['db', 'db', '10.0.0.2'],
    ['desk', 'desk', '127.0.0.1'],
  ])('from %s, %s is at %s', (from, to, expected) => {
    expect(estate().addressBetween(from, to)).toBe(expected)
  })

  test('hosts without a common network', () => {
    expect(refusal(() => estate().addressBetween('alone', 'db'))).toBe(
      '"alone" and "db" share no network: six and internal, lan | Add an address in a common network at hosts.alone.addresses or hosts.db.addresses in /x/inventory.json',
    )
    expect(refusal(() => estate().addressBetween('desk', 'db'))).toContain('no addresses and internal, lan')
  })
})

describe('secrets', () => {
  const [sudo, key] = [SecretRef.parse('env:SUDO'), SecretRef.parse('env:KEY')]

  test('are given by reference', () => {
    expect(estate({ SUDO: 'x' }).secret(sudo)).toBe('x')
  })

  test('that are missing name their variable and the file', () => {
    expect(refusal(() => estate().secret(sudo))).toBe(
      'the secret SUDO is not set | Add a line SUDO=… to /x/.env',
    )
    expect(estate({ KEY: 'x' }).missingSecrets([sudo, key, sudo])).toEqual(['SUDO'])
  })

  test('for the redactor: what the inventory names and is set, with the password inside of a URL', () => {
    const [password, sudoPassword, unrelated] = [secret(), secret(), secret()]
    const url = `postgresql://admin:a%2F${password}@192.0.2.9/postgres`
    const values = estate({
      MANAGED_URL: url,
      SUDO: sudoPassword,
      SHOP_PASSWORD: sudoPassword,
      HOME: unrelated,
    }).secretValues()
    expect(values.toSorted()).toEqual([url, `a%2F${password}`, `a/${password}`, sudoPassword].toSorted())
  })

  test('a password that is no valid percent encoding is kept as it stands', () => {
    const url = `postgresql://admin:100%@192.0.2.9/postgres`
    expect(estate({ MANAGED_URL: url }).secretValues()).toEqual([url, '100%'])
  })
})

function secret(): string {
  return randomBytes(12).toString('hex')
}

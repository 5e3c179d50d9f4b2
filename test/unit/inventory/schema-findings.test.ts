import { randomBytes } from 'node:crypto'

import { describe, expect, test } from 'vitest'

import { changed, complaints, sample } from './sample.ts'

test('the sample that the tests change is valid', async () => {
  expect(await complaints(sample())).toEqual([])
})

describe('one wrong thing, one complaint in plain words', () => {
  test.each([
    ['hosts/db/adresses', {}, ['hosts.db.adresses: there is no "adresses" here | There are: proxmox, local']],
    [
      'hosts/desk/adresses',
      {},
      ['hosts.desk.adresses: there is no "adresses" here | Did you mean "addresses"?'],
    ],
    ['hosts/web/ssh', { usr: 'x' }, ['hosts.web.ssh.usr: there is no "usr" here | Did you mean "user"?']],
    ['estate', undefined, ['estate: "estate" is missing']],
    [
      'estate',
      'two words',
      ['estate: a name starts with a letter and has up to 63 letters, digits, "-", "_" and "."'],
    ],
    [
      'hosts/10',
      {},
      ['hosts.10: a name starts with a letter and has up to 63 letters, digits, "-", "_" and "."'],
    ],
    ['hosts/db/vmid', '101', ['hosts.db.vmid: a number is expected, not a string']],
    ['hosts/db/vmid', 99, ['hosts.db.vmid: Proxmox VE starts at 100']],
    ['hosts/db/ssh/port', 65536, ['hosts.db.ssh.port: ports end at 65535']],
    ['hosts/db/ssh/port', 22.5, ['hosts.db.ssh.port: a whole number is expected, not a fraction']],
    ['hosts/pve/proxmox', 'yes', ['hosts.pve.proxmox: true or false is expected, not a string']],
    ['hosts/web/addresses', {}, ['hosts.web.addresses: is empty; name an address or leave it out']],
    ['networks', [], ['networks: an object is expected, not an array']],
    [
      'networks/lan/cidr',
      '192.0.2.7/24',
      ['networks.lan.cidr: has host bits set; the network is 192.0.2.0/24'],
    ],
    [
      'networks/lan/cidr',
      '192.0.2/24',
      ['networks.lan.cidr: is not a network such as 192.0.2.0/24 or 2001:db8::/64'],
    ],
    [
      'apps/shop/runtime',
      'compos',
      [
        'apps.shop.runtime: one of "compose", "podman", "pm2", "command" is expected | Did you mean "compose"?',
      ],
    ],
    [
      'apps/shop/runtime',
      undefined,
      ['apps.shop.runtime: "runtime" is missing; it is one of "compose", "podman", "pm2", "command"'],
    ],
    [
      'apps/shop/environment',
      'develpment',
      [
        'apps.shop.environment: one of "production", "staging", "development", "test" is expected | Did you mean "development"?',
      ],
    ],
    [
      'apps/shop/directory',
      'srv/shop',
      ['apps.shop.directory: a path on the machine starts with "/" or "~/"'],
    ],
    [
      'apps/shop/seed',
      'a\nb',
      ['apps.shop.seed: has a control character, a line break perhaps; one line is expected'],
    ],
    ['apps/shop/seed', '', ['apps.shop.seed: must not be empty']],
    ['apps/shop/health', 'ftp://x', ['apps.shop.health: is not a URL that starts with http:// or https://']],
    [
      'postgres/main/databases/shop/owner',
      undefined,
      ['postgres.main.databases.shop.owner: "owner" is missing'],
    ],
    [
      `postgres/main/databases/${'ü'.repeat(32)}`,
      { owner: 'shop_app', environment: 'test' },
      [`postgres.main.databases["${'ü'.repeat(32)}"]: has 64 bytes; PostgreSQL would cut it to 63`],
    ],
    [
      `postgres/managed/roles/${'r'.repeat(64)}`,
      {},
      [`postgres.managed.roles.${'r'.repeat(64)}: has 64 bytes; PostgreSQL would cut it to 63`],
    ],
    [
      'postgres/managed/url',
      undefined,
      [
        'postgres.managed.hosts: "hosts" (our machines), "url" (a managed server) or "container" is missing',
        'postgres.managed.via: there is no "via" here | There are: hosts, port, locale, replication, version, access, pooler',
      ],
    ],
    [
      'postgres/managed/hosts',
      ['db'],
      [
        'postgres.managed.hosts: a cluster has one of "hosts" (our machines), "url" (a managed server) or "container"',
      ],
    ],
    [
      'postgres/boxed/url',
      'env:URL',
      [
        'postgres.boxed.url: a cluster has one of "hosts" (our machines), "url" (a managed server) or "container"',
      ],
    ],
    ['postgres/boxed/container/nme', 'x', ['postgres.boxed.container.nme: there is no "nme" here']],
    [
      'postgres/boxed/container/runtime',
      'podmann',
      [
        'postgres.boxed.container.runtime: one of "podman", "docker", "compose" is expected | Did you mean "podman"?',
      ],
    ],
    [
      'postgres/boxed/container/name',
      '--help',
      [
        'postgres.boxed.container.name: a container is named by letters, digits, "_", "." and "-", and begins with a letter or digit',
      ],
    ],
    ['postgres/main/hosts', [], ['postgres.main.hosts: a cluster needs at least one host']],
    [
      'postgres/main/host',
      ['db'],
      ['postgres.main.host: there is no "host" here | There are: port, locale, pooler'],
    ],
    ['postgres/main/port', '5432', ['postgres.main.port: a number is expected, not a string']],
  ])('%s = %j', async (path, value, expected) => {
    expect(await complaints(changed(path, value))).toEqual(expected)
  })

  test('names of exactly 63 bytes are fine', async () => {
    expect(await complaints(changed(`postgres/managed/roles/${'r'.repeat(63)}`, {}))).toEqual([])
  })

  test('a file that holds no object', async () => {
    expect(await complaints('[]')).toEqual([': an object is expected, not an array'])
  })
})

describe('a secret in the file', () => {
  test.each([
    'hosts/db/ssh/passphrase',
    'hosts/db/ssh/sudoPassword',
    'postgres/managed/url',
    'postgres/main/roles/shop_app/password',
  ])('at %s is refused and not repeated', async (path) => {
    const secret = randomBytes(12).toString('hex')
    const found = await complaints(changed(path, secret))
    expect(found).toEqual([
      `${path.replaceAll('/', '.')}: a secret is not written here; name a variable of the .env file, as "env:NAME"`,
    ])
    expect(found.join()).not.toContain(secret)
  })

  test('is not repeated from a file that is broken behind it either', async () => {
    const secret = randomBytes(12).toString('hex')
    const found = await complaints(`{ "postgres": { "main": { "url": "${secret}" "via": "x" } } }`)
    expect(found).toHaveLength(1)
    expect(found.join()).not.toContain(secret)
  })
})

test('all problems come at once, in the order of the file, the dangling ones beside the malformed', async () => {
  const raw = `{
  "estate": "x",
  "hosts": {
    "a": { "ssh": { "jump": "bb", "port": "22" } },
    "b": { "guestOf": "a", "colour": 1 }
  },
  "postgres": { "main": { "hosts": ["a", 5, "c"] } },
  "apps": { "one": { "runtime": "compose", "host": "d" } }
}`
  expect(await complaints(raw)).toEqual([
    'hosts.a.ssh.jump: no host is called "bb" | There are: a, b',
    'hosts.a.ssh.port: a number is expected, not a string',
    'hosts.b.guestOf: "a" is not marked as a Proxmox VE node | Set "proxmox": true at hosts.a if it is one',
    'hosts.b.colour: there is no "colour" here | There are: addresses, ssh, proxmox, vmid, local',
    'postgres.main.hosts[1]: a string is expected, not a number',
    'postgres.main.hosts[2]: no host is called "c" | There are: a, b',
    'apps.one.directory: "directory" is missing',
    'apps.one.service: "service" is missing',
    'apps.one.environment: "environment" is missing; it is one of "production", "staging", "development", "test"',
    'apps.one.host: no host is called "d" | There are: a, b',
  ])
})

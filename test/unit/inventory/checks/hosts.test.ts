import { expect, test } from 'vitest'

import { changed, complaints } from '../sample.ts'

test.each([
  [
    'hosts/web/addresses/lann',
    '192.0.2.3',
    ['hosts.web.addresses.lann: no network is called "lann" | Did you mean "lan"?'],
  ],
  [
    'hosts/web/addresses/internal',
    '192.0.2.3',
    [
      'hosts.web.addresses.internal: 192.0.2.3 is outside of "internal", which is 10.0.0.0/24 | It is in the network "lan"',
    ],
  ],
  [
    'hosts/web/addresses/six',
    '198.51.100.1',
    ['hosts.web.addresses.six: 198.51.100.1 is outside of "six", which is 2001:db8::/64'],
  ],
  [
    'hosts/web/addresses/lan',
    '192.0.2',
    ['hosts.web.addresses.lan: is not an IP address such as 192.0.2.10 or 2001:db8::10'],
  ],
  [
    'hosts/web/addresses/lan',
    '192.0.2.1',
    ['hosts.web.addresses.lan: "pve" has the same address, 192.0.2.1, in "lan"'],
  ],
  [
    'hosts/alone/addresses/six',
    '2001:DB8:0::3',
    ['hosts.alone.addresses.six: "web" has the same address, 2001:DB8:0::3, in "six"'],
  ],
  [
    'hosts/lan',
    { addresses: { lan: '192.0.2.77' } },
    ['hosts.lan: "lan" is a network too; access rules could not tell which is meant'],
  ],
  ['hosts/desk/ssh', {}, ['hosts.desk.ssh: a local host is reached without SSH; leave "ssh" or "local" out']],
  [
    'hosts/db/ssh/network',
    'six',
    ['hosts.db.ssh.network: "db" has no address in a network "six" | There are: lan, internal'],
  ],
  ['hosts/db/ssh/jump', 'pev', ['hosts.db.ssh.jump: no host is called "pev" | Did you mean "pve"?']],
  ['hosts/db/ssh/jump', 'db', ['hosts.db.ssh.jump: the jumps go in a circle: db -> db']],
  ['hosts/pve/ssh/jump', 'db', ['hosts.db.ssh.jump: the jumps go in a circle: db -> pve -> db']],
  ['hosts/db/guestOf', 'db', ['hosts.db.guestOf: "db" cannot be its own guest']],
  [
    'hosts/db/guestOf',
    'web',
    ['hosts.db.guestOf: "web" is not marked as a Proxmox VE node | Proxmox VE nodes: pve'],
  ],
  ['hosts/db/guestOf', 'pvee', ['hosts.db.guestOf: no host is called "pvee" | Did you mean "pve"?']],
  ['hosts/web/vmid', 101, ['hosts.web.vmid: "db" has the same vmid, 101']],
  ['hosts/alone/vmid', 101, ['hosts.alone.vmid: "db" has the same vmid, 101']],
])('%s = %j', async (path, value, expected) => {
  expect(await complaints(changed(path, value))).toEqual(expected)
})

test('a host behind a circle of jumps is not blamed for it', async () => {
  const raw = {
    estate: 'x',
    hosts: { c: { ssh: { jump: 'a' } }, a: { ssh: { jump: 'b' } }, b: { ssh: { jump: 'a' } } },
  }
  expect(await complaints(raw)).toEqual(['hosts.a.ssh.jump: the jumps go in a circle: a -> b -> a'])
})

test('one address with several SSH ports is port forwarding', async () => {
  const raw = {
    estate: 'x',
    networks: { lo: { cidr: '127.0.0.0/8' } },
    hosts: { a: loopback(2201), b: loopback(2202) },
  }
  expect(await complaints(raw)).toEqual([])
  expect(await complaints({ ...raw, hosts: { a: loopback(2201), b: loopback(2201) } })).toEqual([
    'hosts.b.addresses.lo: "a" has the same address, 127.0.0.1, in "lo"',
  ])
})

test('guests of two named nodes may have the same vmid', async () => {
  const raw = {
    estate: 'x',
    hosts: {
      one: { proxmox: true },
      two: { proxmox: true },
      a: { guestOf: 'one', vmid: 100 },
      b: { guestOf: 'two', vmid: 100 },
    },
  }
  expect(await complaints(raw)).toEqual([])
})

function loopback(port: number) {
  return { addresses: { lo: '127.0.0.1' }, ssh: { port } }
}

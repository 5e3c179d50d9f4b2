import { expect, test } from 'vitest'

import { changed, complaints } from '../sample.ts'

const node = { url: 'https://192.0.2.1:8006' }

test.each<[string, unknown, string[]]>([
  ['via', 'dbb', ['via: no host is called "dbb" | Did you mean "db"?']],
  ['backup/via', 'wbe', ['backup.via: no host is called "wbe" | Did you mean "web"?']],
  ['nodes', { pvee: node }, ['nodes.pvee: no host is called "pvee" | Did you mean "pve"?']],
  [
    'nodes',
    { web: node },
    ['nodes.web: "web" is not marked as a Proxmox VE node | Set "proxmox": true at hosts.web'],
  ],
  ['nodes', {}, ['nodes: a cluster needs at least one node']],
  [
    'nodes/pve/url',
    'https://192.0.2.1:8006/api2/json',
    ['nodes.pve.url: is not a URL such as https://192.0.2.10:8006, without path and user'],
  ],
  [
    'nodes/pve/url',
    'http://192.0.2.1:8006',
    ['nodes.pve.url: is not a URL such as https://192.0.2.10:8006, without path and user'],
  ],
  [
    'backup/fingerprint',
    '59:1a:cd',
    ['backup.fingerprint: is no SHA-256 fingerprint: 32 pairs of hexadecimal digits with ":" between them'],
  ],
  ['backup/namespace', '/home', ['backup.namespace: is no namespace such as pve or site/pve']],
  ['backup/staleAfterHours', 0, ['backup.staleAfterHours: must be more than 0']],
])('proxmox/home/%s = %j', async (path, value, expected) => {
  const found = await complaints(changed(`proxmox/home/${path}`, value))
  expect(found).toEqual(expected.map((line) => `proxmox.home.${line}`))
})

test('a node is in one cluster', async () => {
  expect(await complaints(changed('proxmox/other', { nodes: { pve: node }, token: 'env:X' }))).toEqual([
    'proxmox.other.nodes.pve: "pve" is a node of "home" already',
  ])
})

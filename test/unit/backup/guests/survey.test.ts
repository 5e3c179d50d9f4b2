import { randomUUID } from 'node:crypto'

import { describe, expect, test } from 'vitest'

import { hoursAgo, pbsTokenId, pveTokenId } from '../../../lab/pve-peer/sample.ts'
import type { World } from '../../../lab/pve-peer/world.ts'
import { type Differently, stage, states, warnings } from './stage.ts'

function auditor(more: Record<string, Record<string, 0 | 1>> = {}) {
  return { '/': { 'Sys.Audit': 1, 'VM.Audit': 1, 'Datastore.Audit': 1 } as const, ...more }
}

function mayOnly(world: World, privileges: Record<string, Record<string, 0 | 1>>): void {
  const token = world.pveTokens[pveTokenId]
  if (token) token.privileges = privileges
}

const other = Array.from({ length: 32 }, () => 'AA').join(':')

describe('nothing is told rather than half of it', () => {
  test.each<[string, Differently, number, string]>([
    [
      'the token is wrong',
      { secrets: { PVE_TOKEN: `${pveTokenId}=${randomUUID()}` } },
      1,
      `does not take the token ${pveTokenId}`,
    ],
    [
      'the token has expired',
      { world: ({ pveTokens }) => Object.assign(pveTokens[pveTokenId] ?? {}, { expire: hoursAgo(1) }) },
      1,
      `does not take the token ${pveTokenId}`,
    ],
    [
      'the backup server does not know the token',
      { secrets: { PBS_TOKEN: `nobody@pbs!x:${randomUUID()}` } },
      1,
      'does not take the token nobody@pbs!x',
    ],
    ['it is no token', { secrets: { PVE_TOKEN: 'root@pam' } }, 2, 'PVE_TOKEN is no API token'],
    [
      'it may not see any guest',
      { world: (world) => mayOnly(world, { '/': { 'Sys.Audit': 1, 'Datastore.Audit': 1 } }) },
      1,
      'lacks VM.Audit on /vms',
    ],
    [
      'it may not see one of the guests',
      { world: (world) => mayOnly(world, auditor({ '/vms/102': {} })) },
      1,
      'lacks VM.Audit on /vms/102',
    ],
    [
      'its rule does not reach the guests',
      { world: (world) => mayOnly(world, { '/': { 'Sys.Audit': 1, 'VM.Audit': 0 } }) },
      1,
      'lacks VM.Audit on /vms',
    ],
    [
      'it may not see the jobs',
      { world: (world) => mayOnly(world, { '/vms': { 'VM.Audit': 1 } }) },
      1,
      'lacks Sys.Audit on /',
    ],
    [
      'it may not see the storage',
      { world: (world) => mayOnly(world, { '/': { 'Sys.Audit': 1, 'VM.Audit': 1 } }) },
      2,
      'is the datastore tank, namespace home, of this backup server',
    ],
    [
      'the other token may not see the datastore',
      { world: ({ pbsTokens }) => Object.assign(pbsTokens[pbsTokenId] ?? {}, { privileges: {} }) },
      1,
      'lacks Datastore.Audit on /datastore/tank/home',
    ],
    [
      'another certificate',
      { node: { fingerprint: other } },
      3,
      'it shows another certificate than proxmox.home.nodes.pve1.fingerprint says',
    ],
    [
      'another certificate of the backup server',
      { backup: { fingerprint: other } },
      3,
      'than proxmox.home.backup.fingerprint says',
    ],
    [
      'self-signed, and no fingerprint',
      { node: { fingerprint: undefined } },
      3,
      'its certificate is not trusted',
    ],
    ['nobody listens', { node: { url: 'https://127.0.0.1:1' } }, 3, 'no answer'],
    ['nobody listens at the backup server', { backup: { url: 'https://127.0.0.1:1' } }, 3, 'no answer'],
    [
      'the datastore is not mounted',
      { world: (world) => (world.datastoreError = "datastore 'tank' is not mounted") },
      1,
      "datastore 'tank' is not mounted",
    ],
    [
      'there is no such datastore',
      { backup: { datastore: 'thank' } },
      1,
      'lacks Datastore.Audit on /datastore/thank/home',
    ],
    ['the root namespace is another one', { backup: { namespace: '' } }, 2, 'namespace (root)'],
  ])('%s', async (_, differently, code, message) => {
    const { run, world } = await stage(differently)
    const played = await run()
    expect(played.error).toMatchObject({ code, message: expect.stringContaining(message) })
    expect(states(played)).toEqual({})
    const all = JSON.stringify([played.error, played.error?.seen, played.error?.next, played.events])
    for (const { secret } of [...Object.values(world.pveTokens), ...Object.values(world.pbsTokens)]) {
      expect(all).not.toContain(secret)
    }
  })
})

test.each<[string, Differently]>([
  ['another certificate', { node: { fingerprint: other }, backup: { fingerprint: other } }],
  [
    'self-signed, and no fingerprint',
    { node: { fingerprint: undefined }, backup: { fingerprint: undefined } },
  ],
])('%s: nothing is sent, no token above all', async (_, differently) => {
  const { run, peer } = await stage(differently)
  expect((await run()).error).toMatchObject({ code: 3 })
  expect([peer.pve.calls, peer.pbs.calls]).toEqual([0, 0])
})

test('the fingerprint that was seen is told, so that it can be compared', async () => {
  const { run, peer } = await stage({ node: { fingerprint: undefined } })
  const { error } = await run()
  expect(error?.message).toContain(peer.pve.fingerprint)
  expect(error?.next).toContain('pvenode cert info')
})

test('small letters, as openssl does not write it, are the same fingerprint', async () => {
  const lower = await stage()
  const again = await stage({ node: { fingerprint: lower.peer.pve.fingerprint.toLowerCase() } })
  expect((await again.run()).error?.message).toContain('another certificate')
  expect((await lower.run()).error).toBeUndefined()
})

test('the first node is down: the next one is asked, and the first is named', async () => {
  const { run, peer, estate } = await stage()
  const home = estate.proxmox['home']
  if (!home) throw new Error('no cluster')
  Object.assign(home, {
    nodes: {
      pve2: { url: 'https://127.0.0.1:1' },
      pve1: { url: `https://127.0.0.1:${peer.pve.port}`, fingerprint: peer.pve.fingerprint },
    },
  })
  const played = await run()
  expect(played.error).toBeUndefined()
  expect(warnings(played)).toContain('home: Proxmox VE node pve2 at https://127.0.0.1:1')
})

test.each<[string, Differently, string]>([
  ['a node is offline', { world: ({ nodes }) => (nodes['pve2'] = 'offline') }, 'node pve2 is offline'],
  [
    'the datastore is nearly full',
    { world: ({ room }) => Object.assign(room, { avail: 200_000_000_000 }) },
    'the datastore tank is nearly full: 5% is free',
  ],
  ['the clocks differ', { world: (world) => (world.pveAhead = 1200) }, '20 min apart'],
  [
    'a guest that needs none is not there',
    { backup: { exempt: ['pbs', 'gone'] } },
    'backup.exempt names gone',
  ],
  [
    'a guest of the inventory is not there',
    { hosts: { web: { vmid: 555 } } },
    'the inventory has web as guest 555, and the cluster shows none of that number',
  ],
])('a warning: %s', async (_, differently, text) => {
  const { run } = await stage(differently)
  const played = await run()
  expect(played.error).toBeUndefined()
  expect(warnings(played)).toContain(text)
})

test('ages are by the clock of the backup server, and not by that of this computer', async () => {
  const { run } = await stage({ world: (world) => (world.pbsAhead = 30 * 3600) })
  expect(states(await run())).toMatchObject({ db: 'stale' })
})

test('the storage is disabled in the cluster: its jobs store nowhere', async () => {
  const { run } = await stage({ world: ({ storages }) => storages[1] && (storages[1].disable = 1) })
  const played = await run()
  expect(states(played)).toMatchObject({ db: 'uncovered' })
  expect(warnings(played)).toContain('the storage backups is disabled in the cluster')
})

test('a datastore of that name on another backup server is not this one', async () => {
  const { run } = await stage({ world: ({ storages }) => storages[1] && (storages[1].fingerprint = other) })
  expect((await run()).error?.message).toContain('is the datastore tank')
})

test('a job for a pool, and one for all but some, have their guests', async () => {
  const { run } = await stage({
    world: (world) =>
      (world.jobs = [
        { id: 'pool', storage: 'backups', pool: 'prod' },
        { id: 'rest', storage: 'backups', all: 1, exclude: '102,103' },
      ]),
  })
  const played = await run()
  expect(states(played)).toMatchObject({ db: 'ok', app: 'ok', proxy: 'uncovered' })
})

test('thousands of snapshots are one answer', async () => {
  const { run } = await stage({
    world: ({ snapshots }) => {
      for (let hours = 60; hours < 6000; hours += 1) {
        snapshots['home']?.push({ type: 'vm', id: '101', time: hoursAgo(hours), size: 1 })
      }
    },
  })
  const played = await run()
  expect(played.error).toBeUndefined()
  const [data] = played.events.flatMap((event) => (event.event === 'data' ? [event.data] : []))
  expect(data).toMatchObject({ guests: [{ name: 'db', snapshots: 5943 }, {}, {}, {}, {}] })
})

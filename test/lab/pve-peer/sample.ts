import { randomUUID } from 'node:crypto'

import { allOfPve, type World } from './world.ts'

const hour = 3600

/** Seconds. */
export function hoursAgo(hours: number): number {
  return Math.floor(Date.now() / 1000 - hours * hour)
}

export const pveTokenId = 'hausmeister@pve!tasks'
export const pbsTokenId = 'hausmeister@pbs!tasks'

/** Two nodes and six guests of every kind, all well: a test changes what it is about. */
export function sampleWorld(): World {
  return {
    self: 'pve1',
    nodes: { pve1: 'online', pve2: 'online' },
    guests: [
      { vmid: 101, name: 'db', type: 'qemu', node: 'pve1' },
      { vmid: 102, name: 'app', type: 'qemu', node: 'pve2', pool: 'prod', without: ['scsi1'] },
      { vmid: 103, name: 'proxy', type: 'lxc', node: 'pve1' },
      { vmid: 120, name: 'pbs', type: 'qemu', node: 'pve2' },
      { vmid: 900, name: 'debian-template', type: 'qemu', node: 'pve1', template: true },
    ],
    jobs: [
      {
        id: 'nightly',
        storage: 'backups',
        vmid: '101,102',
        mode: 'snapshot',
        'prune-backups': { 'keep-last': 3 },
      },
      {
        id: 'containers',
        storage: 'backups',
        vmid: '103',
        mode: 'suspend',
        'notes-template': '{{guestname}}',
      },
    ],
    storages: [
      { storage: 'local', type: 'dir' },
      { storage: 'backups', type: 'pbs', server: 'pbs.internal', datastore: 'tank', namespace: 'home' },
    ],
    datastore: 'tank',
    snapshots: {
      home: [
        ...[101, 102].flatMap((vmid) =>
          [50, 26, 2].map((hours) => ({
            type: 'vm' as const,
            id: String(vmid),
            time: hoursAgo(hours),
            size: 34_359_738_368,
            ...(hours > 24 ? { state: 'ok' as const } : {}),
          })),
        ),
        { type: 'ct', id: '103', time: hoursAgo(3), size: 2_147_483_648, state: 'ok' },
      ],
      '': [],
    },
    room: { total: 4_000_000_000_000, used: 1_000_000_000_000, avail: 3_000_000_000_000 },
    pveTokens: { [pveTokenId]: { secret: randomUUID(), privileges: { ...allOfPve } } },
    pbsTokens: {
      [pbsTokenId]: { secret: randomUUID(), privileges: { '/datastore/tank': { 'Datastore.Audit': 1 } } },
    },
    vzdump: { ms: 30, end: 'OK', stores: true },
    files: {
      '*': {
        'drive-scsi0.img.fidx': {
          part: {
            '1': '!cannot mount: unknown filesystem',
            '2': { etc: { hostname: 'db' }, vmlinuz: 'kernel' },
          },
        },
      },
    },
    slowListings: 0,
    pveAhead: 0,
    pbsAhead: 0,
  }
}

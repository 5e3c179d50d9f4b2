import type { ServerResponse } from 'node:http'

import { type Dialect, type Kind, Refusal, type Route } from './serve.ts'
import { Tasks } from './tasks.ts'
import { type Folder, guestsOf, privilegesOn, type World } from './world.ts'

/** Parameters of vzdump, by https://pve.proxmox.com/pve-docs/api-viewer/ of version 9.1. */
const vzdump: Record<string, Kind> = {
  all: 'boolean',
  bwlimit: 'integer',
  compress: ['0', '1', 'gzip', 'lzo', 'zstd'],
  exclude: 'string',
  'exclude-path': 'string',
  fleecing: 'string',
  ionice: 'integer',
  lockwait: 'integer',
  mailnotification: ['always', 'failure'],
  mailto: 'string',
  mode: ['snapshot', 'suspend', 'stop'],
  'notes-template': 'string',
  'notification-mode': ['auto', 'legacy-sendmail', 'notification-system'],
  'pbs-change-detection-mode': ['legacy', 'data', 'metadata'],
  performance: 'string',
  pool: 'string',
  protected: 'boolean',
  'prune-backups': 'string',
  quiet: 'boolean',
  remove: 'boolean',
  script: 'string',
  stdexcludes: 'boolean',
  stopwait: 'integer',
  storage: 'string',
  vmid: 'string',
  zstd: 'integer',
}

/** Proxmox VE's side of the world. */
export function pveDialect(world: World): Dialect {
  const tasks = new Tasks(world)
  return {
    header: /^PVEAPIToken=([^=]+)=(.+)$/,
    tokens: () => world.pveTokens,
    isOffline: (node) => world.nodes[node] !== 'online',
    ahead: () => world.pveAhead,
    refuse,
    routes: [...lookingRoutes(world), ...taskRoutes(world, tasks), filesRoute(world)],
  }
}

function sysAudit(): Pair[] {
  return [['/', 'Sys.Audit']]
}

function lookingRoutes(world: World): Route[] {
  return [
    {
      method: 'GET',
      path: '/version',
      answer: () => ({ version: '9.1.1', release: '9.1', repoid: '0000000000000000' }),
    },
    {
      method: 'GET',
      path: '/access/permissions',
      optional: { path: 'string', userid: 'string' },
      answer: ({ path }, { token }) => {
        const paths =
          path === undefined ? ['/', '/vms', '/storage', ...Object.keys(token.privileges)] : [path]
        return Object.fromEntries(paths.map((one) => [one, privilegesOn(token, one)]))
      },
    },
    {
      method: 'GET',
      path: '/cluster/resources',
      optional: { type: ['vm', 'storage', 'node', 'sdn'] },
      answer: (_, { token }) => [
        ...Object.entries(world.nodes).map(([node, status]) => ({
          id: `node/${node}`,
          type: 'node',
          node,
          status,
        })),
        ...world.guests
          .filter(({ vmid }) => 'VM.Audit' in privilegesOn(token, `/vms/${vmid}`))
          .map(({ vmid, name, type, node, template, lock, pool }) => ({
            id: `${type}/${vmid}`,
            vmid,
            name,
            type,
            node,
            template: template === true ? 1 : 0,
            status: world.nodes[node] === 'online' ? 'running' : 'unknown',
            ...(lock === undefined ? {} : { lock }),
            ...(pool === undefined ? {} : { pool }),
          })),
        ...Object.entries(world.nodes).flatMap(([node, status]) =>
          world.storages.map(({ storage, type, disable }) => ({
            id: `storage/${node}/${storage}`,
            type: 'storage',
            storage,
            node,
            plugintype: type,
            status: status === 'online' && disable !== 1 ? 'available' : 'unknown',
          })),
        ),
      ],
    },
    {
      method: 'GET',
      path: '/cluster/backup',
      check: sysAudit,
      answer: () => world.jobs.map((job) => ({ type: 'vzdump', schedule: '01:00', ...job })),
    },
    {
      method: 'GET',
      path: '/cluster/backup/{id}/included_volumes',
      check: sysAudit,
      answer: ({ id }) => {
        const job = world.jobs.find((one) => one.id === id)
        if (!job) throw new Refusal(400, 'Parameter verification failed.', { id: `No such job '${id}'` })
        return { children: guestsOf(world, job).map(volumesOf) }
      },
    },
    {
      method: 'GET',
      path: '/cluster/backup-info/not-backed-up',
      check: sysAudit,
      // Jobs count that are disabled, as in PVE::API2::Cluster::BackupInfo.
      answer: () => {
        const included = new Set(world.jobs.flatMap((job) => guestsOf(world, job).map(({ vmid }) => vmid)))
        return world.guests
          .filter(({ vmid }) => !included.has(vmid))
          .map(({ vmid, name, type }) => ({ vmid, name, type }))
      },
    },
    {
      method: 'GET',
      path: '/storage',
      optional: { type: 'string' },
      answer: ({ type }, { token }) =>
        world.storages.filter(
          (one) =>
            (type === undefined || one.type === type) &&
            'Datastore.Audit' in privilegesOn(token, `/storage/${one.storage}`),
        ),
    },
  ]
}

function volumesOf({ vmid, name, type, without = [] }: World['guests'][number]) {
  const key = type === 'qemu' ? 'scsi0' : 'rootfs'
  return {
    id: vmid,
    name,
    type,
    leaf: 0,
    children: [
      { id: `${vmid}:${key}`, name: `local-zfs:disk-${vmid}`, included: 1, reason: 'enabled', leaf: 1 },
      ...without.map((volume) => ({
        id: `${vmid}:${volume}`,
        name: `local-zfs:${volume}`,
        included: 0,
        reason: 'disabled',
        leaf: 1,
      })),
    ],
  }
}

function taskRoutes(world: World, tasks: Tasks): Route[] {
  const find = (upid: string | undefined) => {
    const found = tasks.all.find((one) => one.upid === upid)
    if (!found) throw new Refusal(400, 'Parameter verification failed.', { upid: 'no such task' })
    return found
  }
  return [
    {
      method: 'POST',
      path: '/nodes/{node}/vzdump',
      optional: vzdump,
      check: ({ vmid = '', storage = 'local', ...more }) => {
        const wanted = vmid
          .split(',')
          .filter(Boolean)
          .map((one) => [`/vms/${one}`, 'VM.Backup'] satisfies Pair)
        const all: Pair[] = [...wanted, [`/storage/${storage}`, 'Datastore.AllocateSpace']]
        if ('prune-backups' in more) all.push([`/storage/${storage}`, 'Datastore.Allocate'])
        if ('bwlimit' in more || 'performance' in more || 'ionice' in more) all.push(['/', 'Sys.Modify'])
        return all
      },
      answer: ({ node = '', ...given }, { id }) => {
        if ('script' in given) {
          throw new Refusal(400, 'Parameter verification failed.', {
            script: 'Only root may set this option.',
          })
        }
        if (!world.storages.some(({ storage }) => storage === given['storage'])) {
          throw new Refusal(500, `storage '${given['storage']}' does not exist`)
        }
        return tasks.start(node, id, given)
      },
    },
    {
      method: 'GET',
      path: '/nodes/{node}/tasks',
      optional: {
        source: ['archive', 'active', 'all'],
        typefilter: 'string',
        limit: 'integer',
        start: 'integer',
      },
      answer: ({ node }) =>
        tasks.all
          .filter((one) => one.node === node)
          .map(({ upid, user, end }) => ({ upid, user, node, type: 'vzdump', status: end ?? 'RUNNING' })),
    },
    {
      method: 'GET',
      path: '/nodes/{node}/tasks/{upid}/status',
      answer: ({ upid, node }) => {
        const { end, user } = find(upid)
        return {
          upid,
          node,
          user,
          type: 'vzdump',
          status: end === undefined ? 'running' : 'stopped',
          ...(end === undefined ? {} : { exitstatus: end }),
        }
      },
    },
    {
      method: 'GET',
      path: '/nodes/{node}/tasks/{upid}/log',
      optional: { start: 'integer', limit: 'integer', download: 'boolean' },
      answer: ({ upid, start = '0', limit = '50' }) =>
        find(upid)
          .log.map((t, index) => ({ n: index + 1, t }))
          .slice(Number(start), Number(start) + Number(limit)),
    },
    {
      method: 'DELETE',
      path: '/nodes/{node}/tasks/{upid}',
      answer: ({ upid = '' }) => {
        find(upid)
        tasks.stop(upid)
        return null
      },
    },
  ]
}

/** Path and privilege. */
type Pair = [path: string, privilege: string]

/** As proxmox-file-restore tells it: archives, then kinds of partitions, then partitions, then folders. */
function filesRoute(world: World): Route {
  let slow = world.slowListings
  return {
    method: 'GET',
    path: '/nodes/{node}/storage/{storage}/file-restore/list',
    required: { volume: 'string', filepath: 'string' },
    check: ({ storage, volume }) => [
      [`/storage/${storage}`, 'Datastore.AllocateSpace'],
      [`/vms/${volume?.split('/')[2]}`, 'VM.Backup'],
    ],
    answer: ({ volume = '', filepath = '/' }) => {
      const files = world.files[volume.replace(/^backup\//, '')] ?? world.files['*']
      if (!files) throw new Refusal(500, 'unable to open snapshot: no such file or directory')
      const path = filepath === '/' ? '' : Buffer.from(filepath, 'base64').toString()
      let at: Folder | string = files
      for (const name of path.split('/').filter(Boolean))
        at = typeof at === 'string' ? at : (at[name] ?? '!not found')
      if (typeof at === 'string') throw new Refusal(500, at.replace(/^!/, ''))
      if (path.includes('.img.fidx') && slow > 0) {
        slow -= 1
        throw new Refusal(503, 'list not finished in time')
      }
      return Object.entries(at).map(([text, inner]) => entryOf(`${path}/${text}`, text, inner))
    },
  }
}

function entryOf(path: string, text: string, inner: Folder | string) {
  const isArchive = /^\/[^/]+$/.test(path)
  // In a disk: its archive, and the kinds of what is in it.
  const isVirtual = (isArchive && !path.endsWith('.pxar.didx')) || /\.img\.fidx\/[^/]+$/.test(path)
  const isFile = typeof inner === 'string' && !inner.startsWith('!')
  return {
    filepath: Buffer.from(path).toString('base64'),
    text,
    type: isFile ? 'f' : isVirtual ? 'v' : 'd',
    leaf: isFile ? 1 : 0,
    ...(isFile ? { size: inner.length } : {}),
  }
}

/** By PVE::HTTPServer: a refused token has words in the status line alone. */
function refuse(response: ServerResponse, { status, message, errors }: Refusal): void {
  response.statusMessage = message.replaceAll('\n', ' ')
  response.statusCode = status
  response.setHeader('content-type', 'application/json;charset=UTF-8')
  if (status === 401 || status >= 595) response.end()
  else response.end(JSON.stringify({ data: null, message: `${message}\n`, ...(errors ? { errors } : {}) }))
}

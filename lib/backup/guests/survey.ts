import type { ProxmoxBackup, ProxmoxCluster } from '../../inventory/inventory.ts'
import { openBackupServer, readRoom, readSnapshots, type Room } from '../../pbs/datastore.ts'
import type { Api } from '../../proxmox/api.ts'
import { blindSpots, lackingOn, readPermissions } from '../../proxmox/privileges.ts'
import type { Reaching } from '../../proxmox/reaching.ts'
import { type BackupJob, readBackupJobs, readNotBackedUp } from '../../pve/backup-jobs.ts'
import { openCluster } from '../../pve/cluster.ts'
import { readResources, type Resources } from '../../pve/resources.ts'
import { type PbsStorage, readPbsStorages, storagesOf } from '../../pve/storages.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import { type GuestBackup, judgeGuests } from './judge.ts'

/** A cluster and the backup server that it is backed up to, as they are now. */
export interface Survey {
  /** Name of the cluster in the inventory. */
  name: string
  entry: ProxmoxBackup
  cluster: Api
  server: Api
  resources: Resources
  jobs: BackupJob[]
  /** The cluster's own names for the datastore. */
  storages: PbsStorage[]
  guests: GuestBackup[]
  room: Room
  /** By the backup server's clock. */
  now: Date
  warnings: string[]
}

/** A datastore that is fuller than this is told; the server itself stops when nothing is left. */
const leastFree = 0.1
/** Milliseconds. */
const mostSkew = 300_000

/** @throws TaskError when what the tokens may see would not be all there is: nothing would be told rather than half */
export async function surveyCluster(
  reaching: Reaching,
  name: string,
  { cluster, entry }: { cluster: ProxmoxCluster; entry: ProxmoxBackup },
): Promise<Survey> {
  const server = openBackupServer(reaching, name, entry)
  const [{ api, silent }] = await Promise.all([
    openCluster(reaching, name, cluster),
    requireOn(server, `/datastore/${pathOf(entry)}`, ['Datastore.Audit']),
  ])
  const permissions = await readPermissions(api)
  refuseLacking(api, 'VM.Audit', blindSpots(permissions, '/vms', 'VM.Audit'))
  refuseLacking(api, 'Sys.Audit', 'Sys.Audit' in (permissions['/'] ?? {}) ? [] : ['/'])
  const [resources, jobs, notBackedUp, all, room, snapshots] = await Promise.all([
    readResources(api),
    readBackupJobs(api),
    readNotBackedUp(api),
    readPbsStorages(api),
    readRoom(server, entry.datastore),
    readSnapshots(server, entry),
  ])
  const storages = storagesOf(all, entry)
  if (storages.length === 0) throw noStorage(api, all, entry)
  const { now } = server
  const enabled = storages.filter(({ disabled }) => !disabled)
  const guests = judgeGuests({
    guests: resources.guests,
    jobs,
    notBackedUp,
    storages: enabled.map((storage) => storage.name),
    snapshots,
    policy: entry,
    now,
  })
  const found = { name, entry, cluster: api, server, resources, jobs, storages, guests, room, now }
  return {
    ...found,
    warnings: [...silent, ...warningsOf(found, reaching)],
  }
}

function* warningsOf(survey: Omit<Survey, 'warnings'>, { estate }: Reaching): Generator<string> {
  const { entry, cluster, server, resources, storages, guests, room, now } = survey
  for (const [node, status] of resources.nodes) {
    if (status === 'offline') yield `node ${node} is offline: its guests are not backed up meanwhile`
  }
  for (const { name, disabled } of storages) {
    if (disabled) yield `the storage ${name} is disabled in the cluster: no job can write to it`
    else if (!resources.storages.has(name)) yield `the storage ${name} is available on no node of the cluster`
  }
  if (room.total > 0 && room.free / room.total < leastFree) {
    yield `the datastore ${entry.datastore} is nearly full: ${Math.floor((room.free / room.total) * 100)}% is free`
  }
  const skew = Math.abs(cluster.now.getTime() - now.getTime())
  if (skew > mostSkew) {
    yield `the clocks of ${cluster.name} and of ${server.name} are ${Math.round(skew / 60_000)} min apart`
  }
  const known = guests.flatMap(({ guest }) => [guest.name, String(guest.vmid)])
  for (const one of entry.exempt) {
    if (!known.includes(one)) yield `backup.exempt names ${one}, and the cluster has no such guest`
  }
  for (const [host, { vmid, guestOf }] of Object.entries(estate.hosts)) {
    const isOurs = guestOf === undefined || guestOf in (estate.proxmox[survey.name]?.nodes ?? {})
    if (vmid !== undefined && isOurs && !known.includes(String(vmid))) {
      yield `the inventory has ${host} as guest ${vmid}, and the cluster shows none of that number`
    }
  }
}

/** @throws TaskError when the token lacks one of these privileges on a path */
export async function requireOn(api: Api, path: string, privileges: string[]): Promise<void> {
  const lacking = await lackingOn(api, path, privileges)
  if (lacking.length > 0) refuseLacking(api, lacking.join(' and '), [path])
}

function refuseLacking(api: Api, privilege: string, paths: readonly string[]): void {
  if (paths.length === 0) return
  throw new TaskError(`${api.name}: the token ${api.tokenId} lacks ${privilege} on ${paths.join(', ')}`, {
    next: 'docs/backup.md#backup-pbs has the commands that give it its privileges; without them it would not see everything',
  })
}

function pathOf({ datastore, namespace }: ProxmoxBackup): string {
  return namespace === '' ? datastore : `${datastore}/${namespace}`
}

function noStorage(api: Api, all: readonly PbsStorage[], entry: ProxmoxBackup): TaskError {
  const there = all.map(
    ({ name, server, datastore, namespace }) =>
      `${name}: datastore ${datastore}, namespace ${namespace || '(root)'}, at ${server}`,
  )
  return new TaskError(
    `no storage of ${api.name} is the datastore ${entry.datastore}, namespace ${entry.namespace || '(root)'}, of this backup server`,
    {
      code: exitCode.usage,
      seen: there.length === 0 ? 'it has no storage of type pbs' : there.join('\n'),
      next: 'correct datastore, namespace or fingerprint in the inventory, or add the storage to the cluster; the token sees storages on which it has Datastore.Audit',
    },
  )
}

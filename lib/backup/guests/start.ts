import * as z from 'zod'

import { errorBehind, HostError } from '../../host/errors.ts'
import type { Api, Parameters } from '../../proxmox/api.ts'
import type { Guest } from '../../pve/resources.ts'
import { type ClusterTask, runningBackups } from '../../pve/tasks.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import type { Picked } from './pick.ts'
import { requireOn, type Survey } from './survey.ts'

/** One run of vzdump, on one node. */
export interface PlannedRun {
  node: string
  guests: Guest[]
  parameters: Parameters
}

export interface StartedRun extends PlannedRun {
  running: ClusterTask
}

/**
 * What is to be started for a guest or a job: of a job, one run on each node that has guests of it, as the web
 * interface does. A guest is backed up with the settings of the first job that has it.
 *
 * Nothing is pruned by it (`remove`): a start by hand must not cost an older backup.
 * @throws TaskError when it would not go into the datastore
 */
export function planRuns(picked: Picked): PlannedRun[] {
  const { survey } = picked
  if ('guest' in picked) {
    const { guest, jobs } = picked.guest
    const settings: Parameters = jobs[0]?.settings ?? { mode: 'snapshot' }
    const [storage] = survey.storages.filter(({ disabled }) => !disabled)
    if (!storage)
      throw new TaskError(`the storage of ${survey.entry.datastore} is disabled in ${survey.name}`)
    return [
      {
        node: guest.node,
        guests: [guest],
        parameters: { storage: storage.name, ...settings, vmid: guest.vmid, remove: 0 },
      },
    ]
  }
  const { job } = picked
  if (!survey.storages.some(({ name }) => name === job.storage)) {
    throw new TaskError(
      `the job ${job.id} stores in ${job.storage ?? 'the default of its node'}, which is not the datastore ${survey.entry.datastore}`,
      { next: 'start it in the web interface, or change its storage there' },
    )
  }
  const guests = survey.guests.flatMap(({ guest }) => (job.guests.has(guest.vmid) ? [guest] : []))
  if (guests.length === 0) throw new TaskError(`the job ${job.id} has no guests`)
  return [...new Set(guests.map(({ node }) => node))].map((node) => ({
    node,
    guests: guests.filter((guest) => guest.node === node),
    parameters: { ...job.settings, ...job.selection, remove: 0 },
  }))
}

/**
 * Whether they can be started now.
 * @throws HostError for a node that is down; TaskError for a privilege that is lacking, a guest that is locked, and 75
 * for a backup that runs already: vzdump would wait for it up to three hours
 */
export async function checkRuns(survey: Survey, runs: readonly PlannedRun[]): Promise<void> {
  const { cluster, resources } = survey
  for (const { node } of runs) {
    if (resources.nodes.get(node) === 'offline') {
      throw new HostError(node, 'unreachable', 'the cluster says that this node is offline', undefined)
    }
  }
  for (const { guests, parameters } of runs) {
    await requireOn(cluster, `/storage/${String(parameters['storage'])}`, ['Datastore.AllocateSpace'])
    for (const { vmid } of guests) await requireOn(cluster, `/vms/${vmid}`, ['VM.Backup'])
    const [only, ...others] = guests
    // Among others vzdump goes on without the one that is locked, and says so.
    if (only?.lock !== undefined && others.length === 0) {
      const { vmid, name, lock } = only
      throw new TaskError(`${name} (${vmid}) is locked: ${lock}`, {
        code: exitCode.locked,
        next: `wait until that has ended; if nothing is at it, on its node: ${unlock(only)}`,
      })
    }
  }
  for (const { node } of runs) {
    const [running] = await runningBackups(cluster, node)
    if (!running) continue
    throw new TaskError(`a backup runs on ${node} already, started by ${running.user}: ${running.upid}`, {
      code: exitCode.locked,
      next: 'wait until it has ended',
    })
  }
}

/** @returns undefined in a dry run, and when the node found that it has none of the guests any more */
export async function startRun(cluster: Api, run: PlannedRun): Promise<StartedRun | undefined> {
  const { node, parameters } = run
  const path = `/nodes/${encodeURIComponent(node)}/vzdump`
  const upid = await cluster.act('POST', path, z.string(), parameters).catch((error: unknown) => {
    const lost = errorBehind(error, HostError)
    if (!lost) throw error
    throw new HostError(
      node,
      lost.failure,
      `${lost.message}; it may have been started all the same`,
      'look into the tasks of the node in the web interface',
      error,
    )
  })
  return upid?.startsWith('UPID:') ? { ...run, running: { node, upid } } : undefined
}

function unlock({ type, vmid }: Guest): string {
  return `${type === 'lxc' ? 'pct' : 'qm'} unlock ${vmid}`
}

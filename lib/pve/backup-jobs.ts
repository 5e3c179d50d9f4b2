import * as z from 'zod'

import type { Api, Parameters } from '../proxmox/api.ts'
import { Flag } from '../proxmox/flag.ts'

/** A backup job of the cluster. */
export interface BackupJob {
  id: string
  enabled: boolean
  /** The storage that it writes to; undefined: that of the node's vzdump.conf. */
  storage: string | undefined
  /** Runs on this node only. */
  node: string | undefined
  next: Date | undefined
  /** Parameters of vzdump, without those that say which guests, when, and what is removed. */
  settings: Parameters
  /** Of vzdump too: which guests. */
  selection: Parameters
  /** By VMID: the volumes of the guest that are not backed up, each with the reason. */
  guests: Map<number, string[]>
}

const Plain = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])

const Job = z.looseObject({
  id: z.string(),
  enabled: Flag.default(true),
  storage: z.string().optional(),
  node: z.string().optional(),
  'next-run': z.number().optional(),
})

const Included = z.object({
  children: z
    .array(
      z.object({
        id: z.coerce.number(),
        children: z
          .array(z.object({ id: z.string(), included: Flag, reason: z.string().optional() }))
          .default([]),
      }),
    )
    .default([]),
})

const selecting = new Set(['all', 'vmid', 'pool', 'exclude'])

/**
 * What of a job says when and where it runs, and what it removes afterwards: the web interface leaves the former out
 * too when it starts one, and a start by hand removes nothing.
 */
const notForStart = new Set(
  [
    'all vmid pool exclude',
    'id type enabled starttime dow schedule next-run repeat-missed node comment',
    'prune-backups maxfiles remove digest',
  ].flatMap((names) => names.split(' ')),
)

export async function readBackupJobs(api: Api): Promise<BackupJob[]> {
  const jobs = await api.get('/cluster/backup', z.array(Job))
  return Promise.all(
    jobs.map(async (job) => {
      const path = `/cluster/backup/${encodeURIComponent(job.id)}/included_volumes`
      const { children } = await api.get(path, Included)
      const entries = Object.entries(job)
      return {
        id: job.id,
        enabled: job.enabled,
        storage: job.storage,
        node: job.node,
        next: job['next-run'] === undefined ? undefined : new Date(job['next-run'] * 1000),
        settings: parametersOf(entries.filter(([name]) => !notForStart.has(name))),
        selection: parametersOf(entries.filter(([name]) => selecting.has(name))),
        guests: new Map(
          children.map(({ id, children: volumes }) => [
            id,
            volumes
              .filter(({ included }) => !included)
              .map(
                ({ id: volume, reason }) => `${volume.replace(/^\d+:/, '')} (${reason ?? 'no reason told'})`,
              ),
          ]),
        ),
      }
    }),
  )
}

/** Guests that no job has, in the cluster's own words; jobs that are disabled count there. */
export async function readNotBackedUp(api: Api): Promise<number[]> {
  const guests = await api.get(
    '/cluster/backup-info/not-backed-up',
    z.array(z.object({ vmid: z.coerce.number() })),
  )
  return guests.map(({ vmid }) => vmid)
}

function parametersOf(entries: readonly (readonly [string, unknown])[]): Parameters {
  return Object.fromEntries(entries.flatMap(([name, value]) => parameterOf(name, value)))
}

function parameterOf(name: string, value: unknown): [string, Parameters[string]][] {
  const plain = Plain.safeParse(value)
  if (plain.success) return [[name, typeof plain.data === 'boolean' ? Number(plain.data) : plain.data]]
  if (typeof value !== 'object' || value === null) return []
  // Told as an object, taken as a property string: fleecing, performance.
  const parts = Object.entries(value).map(
    ([key, inner]) => `${key}=${typeof inner === 'boolean' ? Number(inner) : String(inner)}`,
  )
  return [[name, parts.join(',')]]
}

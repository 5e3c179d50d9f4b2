import { setTimeout as pause } from 'node:timers/promises'

import * as z from 'zod'

import { errorBehind, HostError } from '../host/errors.ts'
import type { Api } from '../proxmox/api.ts'

/** A task of the cluster, on the node that runs it. */
export interface ClusterTask {
  node: string
  /** `UPID:pve:0000A1B2:…`, which the web interface finds it by. */
  upid: string
}

/** How a task ended. */
export interface TaskEnd {
  /** `OK`, `WARNINGS: 2`, or what went wrong. */
  status: string
  /** The last lines of its log, and before them those that say ERROR. */
  log: string[]
}

const Status = z.object({ status: z.string(), exitstatus: z.string().optional() })
const Lines = z.array(z.object({ n: z.number(), t: z.string() }))

/** Lines of a log in one answer; the API gives 50 when it is not asked. */
const linesAtOnce = 500
/** Milliseconds: between two looks at a task, and for an API that does not answer while it restarts, say. */
const interval = 1000
const returnPatience = 60_000
const keptLines = 20

/** When a task was started, by the clock of its node. https://pve.proxmox.com/wiki/Proxmox_VE_API has the form. */
export function startOf({ upid }: ClusterTask): Date {
  const seconds = Number.parseInt(upid.split(':')[4] ?? '', 16)
  return new Date(seconds * 1000)
}

/**
 * Waits for the end of a task.
 * @param told is called with each new line of its log
 */
export async function follow(api: Api, task: ClusterTask, told: (line: string) => void): Promise<TaskEnd> {
  const path = pathOf(task)
  const errors: string[] = []
  const log: string[] = []
  let start = 0
  const readLog = async (): Promise<void> => {
    for (;;) {
      const lines = await api.get(`${path}/log`, Lines, { start, limit: linesAtOnce })
      // A log that is empty yet is told as one line that says so.
      const fresh = lines.filter(({ n, t }) => n > start && t !== 'no content')
      for (const { t } of fresh) {
        log.push(t)
        if (t.trim() !== '') told(t.trim())
      }
      const old = log.splice(0, Math.max(0, log.length - keptLines))
      errors.push(...old.filter((line) => line.startsWith('ERROR')))
      start += fresh.length
      if (lines.length < linesAtOnce) return
    }
  }
  let heard = Date.now()
  for (;;) {
    try {
      const { status, exitstatus } = await api.get(`${path}/status`, Status)
      await readLog()
      if (status === 'stopped') {
        return { status: exitstatus ?? 'it ended without a status', log: [...errors, ...log] }
      }
      heard = Date.now()
    } catch (error) {
      const isSilent = errorBehind(error, HostError)?.failure === 'unreachable'
      if (!isSilent || Date.now() - heard > returnPatience) throw error
    }
    await pause(interval)
  }
}

/** Warnings stand in its log; what it was to do is done. */
export function isWell(status: string): boolean {
  return /^(OK|WARNINGS: \d+)$/.test(status)
}

/** Asks a task to stop. Who started it may. */
export async function stop(api: Api, task: ClusterTask): Promise<void> {
  await api.act('DELETE', pathOf(task), z.unknown())
}

/** Backups that run on a node now, whoever started them. */
export async function runningBackups(api: Api, node: string): Promise<{ upid: string; user: string }[]> {
  const tasks = await api.get(
    `/nodes/${encodeURIComponent(node)}/tasks`,
    z.array(z.object({ upid: z.string(), user: z.string(), status: z.string().optional() })),
    { source: 'active', typefilter: 'vzdump' },
  )
  // Those that have just ended stand in this list for a while, with how they ended.
  return tasks.filter(({ status }) => status === undefined || status === 'RUNNING')
}

function pathOf({ node, upid }: ClusterTask): string {
  return `/nodes/${encodeURIComponent(node)}/tasks/${encodeURIComponent(upid)}`
}

import type { Host } from '../host/host.ts'
import type { Estate } from '../inventory/estate.ts'
import type { BackupEntry, BackupSchedule } from '../inventory/inventory.ts'
import { type Checkout, findCheckout, taskCommand } from '../schedule/checkout.ts'
import type { Job } from '../schedule/job.ts'
import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import type { Session } from '../task/session.ts'
import type { Reach } from '../task/task.ts'

const parts = ['backup', 'verify', 'prune'] as const

/** The tasks that run by themselves, by the field that says when. */
const tasks = { backup: 'backup-now', verify: 'backup-verify', prune: 'backup-prune' } as const

/** The machine of a schedule, as the user that logs in, and who the jobs run as. */
export interface Station {
  host: Host
  user: string
}

export async function stationOf(session: Session<unknown>, schedule: BackupSchedule): Promise<Station> {
  const host = await session.hosts.get(schedule.host)
  return { host, user: schedule.user ?? host.user }
}

/** As root, for its timers and its locks, and as who runs the jobs. */
export function stationReach(schedule: BackupSchedule | undefined): Reach[][] {
  if (!schedule) return []
  const { host, user } = schedule
  return [[{ host, as: 'root' }], [{ host, ...(user === undefined ? {} : { as: user }) }]]
}

/** Two runs must not write the same units. */
export async function lockSchedule(session: Session<unknown>, { host }: Station): Promise<void> {
  const name = `schedule/${session.estate.name}/backup`
  await session.lock(name, (holder) => host.lock(name, holder))
}

/** @throws TaskError when it would not do there what it does here */
export async function findBackupCheckout(
  { host, user }: Station,
  estate: Estate,
  backup: BackupEntry,
  schedule: BackupSchedule,
): Promise<Checkout> {
  const checkout = await findCheckout(host, user, schedule.directory, Object.values(tasks))
  const there = checkout.inventory
  const file = `${checkout.directory}/inventory.json on ${host.name}`
  if (there.estate !== estate.name) {
    throw new TaskError(`${file} is of the estate ${there.estate}, and this is ${estate.name}`, {
      code: exitCode.usage,
    })
  }
  const { endpoint, bucket } = backup.store
  if (there.backup?.store.endpoint !== endpoint || there.backup.store.bucket !== bucket) {
    const other = there.backup
      ? `${there.backup.store.bucket} at ${there.backup.store.endpoint}`
      : 'no store at all'
    throw new TaskError(`${file} backs up to ${other}, and this one to ${bucket} at ${endpoint}`, {
      code: exitCode.usage,
      next: `copy ${estate.file} there`,
    })
  }
  return checkout
}

/** Names of the jobs, also for taking them away. */
export function jobNames({ name }: Estate): string[] {
  return parts.map((part) => jobName(name, part))
}

export function backupJobs(estate: Estate, schedule: BackupSchedule, checkout: Checkout): Job[] {
  const { directory, user } = checkout
  return parts.map((part) => ({
    name: jobName(estate.name, part),
    description: `hausmeister: ${tasks[part]} of ${estate.name}`,
    at: schedule[part],
    command: taskCommand(checkout, tasks[part], ['--quiet', '--yes']),
    directory,
    user,
  }))
}

function jobName(estate: string, part: (typeof parts)[number]): string {
  return `hausmeister-${estate}-${tasks[part]}`
}

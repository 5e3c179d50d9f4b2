import type { ProxmoxBackup } from '../../inventory/inventory.ts'
import type { Snapshot } from '../../pbs/datastore.ts'
import type { BackupJob } from '../../pve/backup-jobs.ts'
import type { Guest } from '../../pve/resources.ts'
import { TaskError } from '../../task/errors.ts'
import { ageOf } from '../age.ts'
import { isAhead } from '../keep.ts'

/** From the worst on; the first that is true of a guest is its state. */
export const guestStates = ['missing', 'failed', 'stale', 'uncovered', 'unverified', 'ok', 'exempt'] as const
export type GuestState = (typeof guestStates)[number]

/** A guest and its backups, as the policy of the inventory sees them. */
export interface GuestBackup {
  guest: Guest
  /** Jobs that are enabled and back it up to this datastore. */
  jobs: BackupJob[]
  state: GuestState
  /** Why it is not ok, or needs no backup. */
  reasons: string[]
  /** Volumes that none of its jobs has. */
  leftOut: string[]
  /** The newest that is whole, whatever came of its verification. */
  newest: Snapshot | undefined
  /** The newest whose verification was good. */
  verified: Snapshot | undefined
  count: number
}

export interface Known {
  guests: readonly Guest[]
  jobs: readonly BackupJob[]
  /** VMIDs that no job has, as the cluster says. */
  notBackedUp: readonly number[]
  /** Names of the cluster's storages that are the datastore. */
  storages: readonly string[]
  /** The oldest first. */
  snapshots: readonly Snapshot[]
  policy: Pick<ProxmoxBackup, 'staleAfterHours' | 'unverifiedAfterDays' | 'exempt'>
  /** By the backup server's clock. */
  now: Date
}

/** Milliseconds. */
const hour = 3_600_000
const day = 24 * hour

export function judgeGuests(known: Known): GuestBackup[] {
  return known.guests.map((guest) => judgeGuest(guest, known))
}

function judgeGuest(guest: Guest, known: Known): GuestBackup {
  const own = known.snapshots.filter(
    ({ vmid, type }) => vmid === guest.vmid && type === (guest.type === 'qemu' ? 'vm' : 'ct'),
  )
  // What is dated in the future was made by a wrong clock: nobody knows how old it is.
  const whole = own.filter(({ bytes, time }) => bytes !== undefined && !isAhead(time, known.now))
  const jobs = jobsFor(guest, known)
  const findings = [...findingsOn(guest, own, whole, jobs, known)].toSorted(
    (a, b) => guestStates.indexOf(a.state) - guestStates.indexOf(b.state),
  )
  const spared = sparedBy(guest, known)
  return {
    guest,
    jobs,
    state: spared === undefined ? (findings[0]?.state ?? 'ok') : 'exempt',
    reasons: spared === undefined ? findings.map(({ why }) => why) : [spared],
    leftOut: leftOutOf(guest, jobs),
    newest: whole.at(-1),
    verified: whole.findLast(({ verified }) => verified === 'ok'),
    count: whole.length,
  }
}

/** What a run ends with when a guest is not as the policy wants it. */
export function unwellError(guests: readonly GuestBackup[]): TaskError | undefined {
  const bad = guests.filter(({ state }) => state !== 'ok' && state !== 'exempt')
  if (bad.length === 0) return undefined
  const lines = bad.map(({ guest, reasons }) => `- ${guest.name} (${guest.vmid}): ${reasons.join('; ')}`)
  return new TaskError(
    `${bad.length} of ${guests.length} guests are not backed up as they should be:\n${lines.join('\n')}`,
  )
}

interface Finding {
  state: GuestState
  why: string
}

function* findingsOn(
  guest: Guest,
  own: readonly Snapshot[],
  whole: readonly Snapshot[],
  jobs: readonly BackupJob[],
  known: Known,
): Generator<Finding> {
  const { now, policy } = known
  const since = ({ time }: Snapshot): number => now.getTime() - time.getTime()
  if (jobs.length === 0) yield { state: 'uncovered', why: whyUncovered(guest, known) }
  const ahead = own.filter(({ time }) => isAhead(time, now)).length
  if (ahead > 0)
    yield { state: 'stale', why: `${ahead} dated in the future and not counted: a clock was wrong` }

  const usable = whole.findLast(({ verified }) => verified !== 'failed')
  if (!usable) {
    const none = own.length === 0 ? 'it has no backup' : 'none of its backups is whole and good'
    yield { state: 'missing', why: own.length === 0 ? `${none}${firstRun(jobs)}` : none }
  } else if (since(usable) > policy.staleAfterHours * hour) {
    yield { state: 'stale', why: `the newest good backup is ${ageOf(usable.time, now)} old` }
  }

  const newest = whole.at(-1)
  if (newest?.verified === 'failed') {
    yield {
      state: 'failed',
      why: `the newest backup, ${ageOf(newest.time, now)} old, failed its verification`,
    }
  }
  const verified = whole.findLast((one) => one.verified === 'ok')
  if (usable && !verified) yield { state: 'unverified', why: 'no backup was ever verified' }
  else if (verified && since(verified) > policy.unverifiedAfterDays * day) {
    yield { state: 'unverified', why: `the newest verified backup is ${ageOf(verified.time, now)} old` }
  }
}

/** Jobs that are enabled and write to the datastore, unless the cluster itself says that none has the guest. */
function jobsFor({ vmid }: Guest, { jobs, storages, notBackedUp }: Known): BackupJob[] {
  if (notBackedUp.includes(vmid)) return []
  return jobs.filter(
    ({ enabled, storage, guests }) =>
      enabled && storage !== undefined && storages.includes(storage) && guests.has(vmid),
  )
}

/** The cluster counts jobs that are disabled, and those that write to another place: to us they are none. */
function whyUncovered({ vmid }: Guest, { jobs, notBackedUp }: Known): string {
  const having = notBackedUp.includes(vmid) ? [] : jobs.filter(({ guests }) => guests.has(vmid))
  if (having.length === 0) return 'no backup job has it'
  const told = having.map(({ id, enabled, storage }) =>
    enabled ? `${id} (stores in ${storage ?? 'the default of its node'})` : `${id} (disabled)`,
  )
  return `no job that is enabled backs it up to this datastore; it is in ${told.join(', ')}`
}

function firstRun(jobs: readonly BackupJob[]): string {
  const [next] = jobs.flatMap((job) => job.next ?? []).toSorted((a, b) => a.getTime() - b.getTime())
  return next ? `; its job runs next at ${next.toISOString()}` : ''
}

function sparedBy({ vmid, name, template }: Guest, { policy }: Known): string | undefined {
  if (policy.exempt.some((one) => one === name || one === String(vmid))) return 'exempt by the inventory'
  return template ? 'a template' : undefined
}

/** A volume counts as left out when no job has it. */
function leftOutOf({ vmid }: Guest, jobs: readonly BackupJob[]): string[] {
  const [first = [], ...others] = jobs.map(({ guests }) => guests.get(vmid) ?? [])
  return first.filter((volume) => others.every((volumes) => volumes.includes(volume)))
}

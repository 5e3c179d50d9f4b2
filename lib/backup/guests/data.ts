import type { Snapshot } from '../../pbs/datastore.ts'
import type { GuestBackup } from './judge.ts'
import type { Survey } from './survey.ts'

/** For programs; times as ISO 8601, ages in seconds, by the backup server's clock. */
export function surveyData({ name, entry, server, guests, room, now, warnings }: Survey): object {
  return {
    cluster: name,
    server: server.name,
    datastore: entry.datastore,
    namespace: entry.namespace,
    total: room.total,
    free: room.free,
    staleAfterHours: entry.staleAfterHours,
    unverifiedAfterDays: entry.unverifiedAfterDays,
    guests: guests.map((one) => guestData(one, now)),
    warnings,
  }
}

function guestData(
  { guest, jobs, state, reasons, leftOut, newest, verified, count }: GuestBackup,
  now: Date,
) {
  const { name, vmid, type, node } = guest
  return {
    name,
    vmid,
    type,
    node,
    state,
    reasons,
    jobs: jobs.map(({ id }) => id),
    leftOut,
    snapshots: count,
    newest: newest ? snapshotData(newest, now) : null,
    verified: verified ? snapshotData(verified, now) : null,
  }
}

function snapshotData({ time, bytes, verified }: Snapshot, now: Date) {
  return {
    time: time.toISOString(),
    age: Math.round((now.getTime() - time.getTime()) / 1000),
    bytes: bytes ?? null,
    verified,
  }
}

import { size } from '../../task/size.ts'
import { ageOf } from '../age.ts'
import { tableOf } from '../listing.ts'
import { type GuestBackup, guestStates } from './judge.ts'
import type { Survey } from './survey.ts'

const head = ['guest', 'vmid', 'node', 'job', 'newest', 'size', 'verify', 'state']

/** A table for people, the worst first. */
export function describeSurvey(survey: Survey): string {
  const { name, entry, guests, now, server, room } = survey
  const place = entry.namespace === '' ? entry.datastore : `${entry.datastore}, namespace ${entry.namespace}`
  const rows = guests.toSorted((a, b) => rankOf(a) - rankOf(b)).map((one) => rowOf(one, now))
  return [
    `${name}: ${guests.length} guests, ${wellOf(guests)}; datastore ${place} of ${server.name}, ${size(room.free)} of ${size(room.total)} free`,
    ...(rows.length > 0 ? tableOf(head, rows) : []),
    ...guests.flatMap((one) => remarksOn(one)),
  ].join('\n')
}

function rankOf({ state }: GuestBackup): number {
  return guestStates.indexOf(state)
}

function wellOf(guests: readonly GuestBackup[]): string {
  const count = (states: string[]): number => guests.filter(({ state }) => states.includes(state)).length
  const spared = count(['exempt'])
  return `${count(['ok'])} ok${spared > 0 ? `, ${spared} need none` : ''}`
}

function rowOf({ guest, jobs, state, newest }: GuestBackup, now: Date): string[] {
  return [
    guest.name,
    String(guest.vmid),
    guest.node,
    jobs.map(({ id }) => id).join(',') || '-',
    newest ? ageOf(newest.time, now) : '-',
    newest?.bytes === undefined ? '-' : size(newest.bytes),
    newest?.verified ?? '-',
    state,
  ]
}

/** What the table has no room for, a line for each guest. */
function remarksOn({ guest, reasons, leftOut }: GuestBackup): string[] {
  const without = leftOut.length > 0 ? [`backed up without ${leftOut.join(', ')}`] : []
  const remarks = [...reasons, ...without]
  return remarks.length === 0 ? [] : [`  ${guest.name}: ${remarks.join('; ')}`]
}

import { describe, expect, test } from 'vitest'

import {
  type GuestBackup,
  judgeGuests,
  type Known,
  unwellError,
} from '../../../../lib/backup/guests/judge.ts'
import type { Snapshot } from '../../../../lib/pbs/datastore.ts'
import type { BackupJob } from '../../../../lib/pve/backup-jobs.ts'
import type { Guest } from '../../../../lib/pve/resources.ts'

const now = new Date('2026-11-28T06:00:00Z')
const db: Guest = { vmid: 101, name: 'db', type: 'qemu', node: 'pve', template: false, lock: undefined }

function job(change: Partial<BackupJob> = {}): BackupJob {
  return {
    id: 'nightly',
    enabled: true,
    storage: 'backups',
    node: undefined,
    next: undefined,
    settings: {},
    selection: {},
    guests: new Map([[101, []]]),
    ...change,
  }
}

/** A whole one of the guest, this many hours old. */
function snapshot(hours: number, change: Partial<Snapshot> = {}): Snapshot {
  return {
    type: 'vm',
    vmid: 101,
    time: new Date(now.getTime() - hours * 3_600_000),
    bytes: 1000,
    verified: 'none',
    ...change,
  }
}

const good = [snapshot(26, { verified: 'ok' }), snapshot(2)]

function judged(change: Partial<Known> = {}, guest: Partial<Guest> = {}): GuestBackup {
  const [one] = judgeGuests({
    guests: [{ ...db, ...guest }],
    jobs: [job()],
    notBackedUp: [],
    storages: ['backups'],
    snapshots: good,
    policy: { staleAfterHours: 26, unverifiedAfterDays: 8, exempt: [] },
    now,
    ...change,
  })
  if (!one) throw new Error('nothing was judged')
  return one
}

test('a guest with a job, a fresh backup and a verified one is ok', () => {
  expect(judged()).toMatchObject({ state: 'ok', reasons: [], count: 2, jobs: [{ id: 'nightly' }] })
  expect(unwellError([judged()])).toBeUndefined()
})

/** With one verified backup that is this old. */
function stateAt(hours: number): string {
  return judged({ snapshots: [snapshot(hours, { verified: 'ok' })] }).state
}

/** A job that leaves these volumes of the guest out. */
function without(...volumes: string[]): BackupJob {
  return job({ guests: new Map([[101, volumes]]) })
}

describe('backups', () => {
  test.each<[string, Snapshot[], string, string]>([
    ['none at all', [], 'missing', 'it has no backup'],
    [
      'one that is being made',
      [snapshot(0, { bytes: undefined })],
      'missing',
      'none of its backups is whole and good',
    ],
    ['one of another guest', [snapshot(2, { vmid: 102 })], 'missing', 'it has no backup'],
    [
      'one of a container of that number',
      [snapshot(2, { type: 'ct', verified: 'ok' })],
      'missing',
      'it has no backup',
    ],
    [
      'the only one failed',
      [snapshot(2, { verified: 'failed' })],
      'missing',
      'none of its backups is whole and good',
    ],
    [
      'the newest failed',
      [...good, snapshot(1, { verified: 'failed' })],
      'failed',
      'the newest backup, 1 h old, failed its verification',
    ],
    ['an old one failed', [snapshot(50, { verified: 'failed' }), ...good], 'ok', ''],
    [
      'the newest is two days old',
      [snapshot(49, { verified: 'ok' })],
      'stale',
      'the newest good backup is 2 d old',
    ],
    [
      'a fresh one that is not whole',
      [snapshot(49, { verified: 'ok' }), snapshot(1, { bytes: undefined })],
      'stale',
      'the newest good backup is 2 d old',
    ],
    ['never verified', [snapshot(2)], 'unverified', 'no backup was ever verified'],
    [
      'verified nine days ago',
      [snapshot(216, { verified: 'ok' }), snapshot(2)],
      'unverified',
      'the newest verified backup is 9 d old',
    ],
    [
      'dated in the future',
      [...good, snapshot(-5)],
      'stale',
      '1 dated in the future and not counted: a clock was wrong',
    ],
  ])('%s', (_, snapshots, state, reason) => {
    const found = judged({ snapshots })
    expect(found.state).toBe(state)
    if (reason !== '') expect(found.reasons).toContain(reason)
  })

  test('just within the policy, and just out of it', () => {
    expect([stateAt(25.99), stateAt(26.01)]).toEqual(['ok', 'stale'])
    const policy = { staleAfterHours: 1000, unverifiedAfterDays: 2, exempt: [] }
    const verified = (hours: number) =>
      judged({ policy, snapshots: [snapshot(hours, { verified: 'ok' })] }).state
    expect([verified(47.9), verified(48.1)]).toEqual(['ok', 'unverified'])
  })

  test('a new guest: when its job runs next', () => {
    const next = new Date('2026-11-29T00:00:00Z')
    expect(judged({ snapshots: [], jobs: [job({ next })] }).reasons).toEqual([
      'it has no backup; its job runs next at 2026-11-29T00:00:00.000Z',
    ])
  })
})

describe('jobs', () => {
  test.each<[string, Partial<Known>, string]>([
    ['none', { jobs: [] }, 'no backup job has it'],
    ['one that excludes it', { jobs: [job({ guests: new Map() })] }, 'no backup job has it'],
    [
      'one that is disabled, which the cluster counts as one',
      { jobs: [job({ enabled: false })] },
      'no job that is enabled backs it up to this datastore; it is in nightly (disabled)',
    ],
    [
      'one that stores elsewhere',
      { jobs: [job({ id: 'weekly', storage: 'local' })] },
      'no job that is enabled backs it up to this datastore; it is in weekly (stores in local)',
    ],
    [
      'one without a storage of its own',
      { jobs: [job({ storage: undefined })] },
      'no job that is enabled backs it up to this datastore; it is in nightly (stores in the default of its node)',
    ],
    ['the cluster says none', { notBackedUp: [101] }, 'no backup job has it'],
  ])('%s', (_, known, reason) => {
    expect(judged(known)).toMatchObject({ state: 'uncovered', reasons: [reason], jobs: [] })
  })

  test('a volume is left out when every job leaves it out', () => {
    expect(judged({ jobs: [without('scsi1', 'scsi2'), without('scsi2')] }).leftOut).toEqual(['scsi2'])
  })
})

test.each([[{ exempt: ['db'] }], [{ exempt: ['101'] }]])('%j: nothing is asked of it', (exempt) => {
  const policy = { staleAfterHours: 26, unverifiedAfterDays: 8, ...exempt }
  expect(judged({ policy, snapshots: [], jobs: [] })).toMatchObject({
    state: 'exempt',
    reasons: ['exempt by the inventory'],
  })
})

test('a template changes no more: nothing is asked of it', () => {
  expect(judged({ snapshots: [], jobs: [] }, { template: true }).state).toBe('exempt')
})

test('the worst is the state, and all of it is told', () => {
  const found = judged({ jobs: [], snapshots: [snapshot(500)] })
  expect(found.state).toBe('stale')
  expect(found.reasons).toEqual([
    'the newest good backup is 21 d old',
    'no backup job has it',
    'no backup was ever verified',
  ])
  expect(unwellError([found, judged()])?.message).toBe(
    `1 of 2 guests are not backed up as they should be:\n- db (101): ${found.reasons.join('; ')}`,
  )
})

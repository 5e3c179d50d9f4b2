/**
 * Makes the store ready for backups, proves it by writing and reading, and has backup, verify and prune run by
 * themselves on a machine: by systemd timers, else by its crontab. Where the inventory has backup.store.server, starts
 * the store first: RustFS in a container, with keys that are made for it. Safe to run again.
 *
 *   npx tsx tasks/backup-up.ts --dry-run
 *   npx tsx tasks/backup-up.ts
 */
import { randomBytes } from 'node:crypto'

import * as z from 'zod'

import { estatePrefix } from '../lib/backup/layout.ts'
import {
  backupJobs,
  findBackupCheckout,
  lockSchedule,
  stationOf,
  stationReach,
} from '../lib/backup/schedule.ts'
import { backupOf, serverReach, storeSecrets } from '../lib/backup/target.ts'
import type { Estate } from '../lib/inventory/estate.ts'
import type { BackupSchedule } from '../lib/inventory/inventory.ts'
import { secretName } from '../lib/inventory/secrets.ts'
import { serverOf } from '../lib/rustfs/server.ts'
import { bringServer } from '../lib/rustfs/up.ts'
import { probe } from '../lib/s3/probe.ts'
import { Store } from '../lib/s3/store.ts'
import { type Checkout, tryTask } from '../lib/schedule/checkout.ts'
import type { Scheduler } from '../lib/schedule/job.ts'
import { schedulerOf } from '../lib/schedule/scheduler.ts'
import { TaskError } from '../lib/task/errors.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({})
type Flags = z.output<typeof flags>

export const task = defineTask({
  name: 'backup-up',
  summary: 'Make the store ready, and have backups run by themselves',
  details:
    'Starts the store where the inventory has backup.store.server, and makes its keys. Makes the bucket when there is ' +
    'none, and proves that objects can be written, listed, read and deleted. Where the ' +
    'inventory has backup.schedule, tries backup-now on that machine, and installs timers for backup-now, ' +
    'backup-verify and backup-prune. Safe to run again.',
  examples: ['npx tsx tasks/backup-up.ts --dry-run', 'npx tsx tasks/backup-up.ts'],
  flags,
  preflight: ({ estate }) => {
    const backup = backupOf(estate)
    return {
      problems: [],
      // Those of a store of our own are made.
      secrets: backup.store.server ? [] : storeSecrets(backup),
      reach: [...stationReach(backup.schedule), ...serverReach(backup)],
    }
  },
  async run(session) {
    const { estate } = session
    const backup = backupOf(estate)
    const { schedule } = backup
    if (!schedule) {
      await bringStore(session)
      session.warn('nothing runs by itself: the inventory has no backup.schedule')
      return
    }
    const station = await stationOf(session, schedule)
    await lockSchedule(session, station)
    const { checkout, scheduler } = await session.step(
      `Look at hausmeister on ${schedule.host}`,
      async (step) => {
        const found = await findBackupCheckout(station, estate, backup, schedule)
        step.detail = `${found.directory}, run by ${found.user}`
        return { checkout: found, scheduler: await schedulerOf(station.host, station.user, session.run) }
      },
    )
    await bringStore(session)
    await session.prove(`Try backup-now on ${schedule.host}, without changing anything`, () =>
      tryTask(station.host, checkout, 'backup-now'),
    )
    await bringSchedule(session, scheduler, schedule, checkout)
  },
})

async function bringStore(session: Session<Flags>): Promise<void> {
  const estate = await bringOwnServer(session)
  // In a dry run, as long as there is no store.
  if (!estate) return
  const { run } = session
  const { store: entry } = backupOf(estate)
  const store = new Store(estate, entry, run)
  const isThere = await session.step(`Look for the bucket ${entry.bucket}`, () => store.hasBucket())
  if (isThere) session.unchanged(store.name, entry.accessKey, `create ${store.name}`)
  else {
    await session.step(
      `Make the bucket ${entry.bucket}`,
      () => store.createBucket(),
      async () => {
        if (!(await store.hasBucket())) throw new TaskError(`${store.name} is not there after making it`)
      },
    )
  }
  if (isThere || !session.dryRun) await bringVersioning(session, store)
  await session.prove('Prove that objects can be written, listed, read and deleted', () => {
    // It leaves nothing behind, so it is no change.
    const untold = new Store(estate, entry, { ...run, onChange: () => {} })
    return probe(untold, `${estatePrefix(estate.name)}probe-${randomBytes(6).toString('hex')}`)
  })
}

/** @returns the estate with the keys of the store; undefined: there is no store yet that a dry run could look at */
async function bringOwnServer(session: Session<Flags>): Promise<Estate | undefined> {
  const { estate, hosts } = session
  const { store, schedule } = backupOf(estate)
  if (!store.server) return estate
  const server = await serverOf(hosts, estate, store, store.server)
  await session.lock(`store/${estate.name}`, (holder) => server.host.lock(`store/${estate.name}`, holder))
  const isNew = estate.missingSecrets(storeSecrets(backupOf(estate))).length > 0
  const up = await bringServer(session, store, server)
  if (isNew && schedule && !session.dryRun) {
    const names = [store.accessKey, store.secretKey].map((ref) => secretName(ref)).join(' and ')
    session.note(
      `copy ${names} from ${estate.secretsFile} into ${schedule.directory}/.env on ${schedule.host}, then run this again`,
    )
  }
  return up
}

async function bringVersioning(session: Session<Flags>, store: Store): Promise<void> {
  const wanted = store.entry.versioning === true
  await session.step(
    'Look at the versioning of the bucket',
    async (step) => {
      const is = await store.versioning()
      step.detail = is ?? 'the store has none'
      if (wanted && is === undefined) throw new TaskError(`${store.name} cannot keep versions`)
      if (wanted && is !== 'on') await store.keepVersions()
      if (is === 'on') {
        session.note(
          'what is deleted there takes room on, until a rule of the store (lifecycle) ends old versions',
        )
      }
    },
    async (_, step) => {
      step.detail = await store.versioning()
      if (wanted && step.detail !== 'on') throw new TaskError(`${store.name} still does not keep versions`)
    },
  )
}

async function bringSchedule(
  session: Session<Flags>,
  scheduler: Scheduler,
  schedule: BackupSchedule,
  checkout: Checkout,
): Promise<void> {
  const jobs = backupJobs(session.estate, schedule, checkout)
  await session.step(
    `Bring ${scheduler.name} to the schedule`,
    () => scheduler.install(jobs),
    async () => {
      const next = await scheduler.next(jobs)
      const lines = jobs.map(({ name }, index) => ({ name, next: next[index] ?? '' }))
      const width = Math.max(...lines.map(({ name }) => name.length))
      session.show(
        'schedule',
        { host: schedule.host, user: checkout.user, by: scheduler.name, jobs: lines },
        lines.map((line) => `${line.name.padEnd(width)}  ${line.next}`).join('\n'),
      )
    },
  )
}

await runIfMain(import.meta, task)

/**
 * Takes away what backup-up has put on machines: nothing is backed up by itself any more, and a store of our own does
 * not run. Backups stay. With --destroy-data all backups of this estate are deleted too, after a question. Safe to run again.
 *
 *   npx tsx tasks/backup-down.ts --dry-run
 *   npx tsx tasks/backup-down.ts
 *   npx tsx tasks/backup-down.ts --destroy-data      # asks you to type the name of the estate
 */
import * as z from 'zod'

import { describeBackups, destroyBackups, destroyProblems, proveDestroyed } from '../lib/backup/destroy.ts'
import { estatePrefix } from '../lib/backup/layout.ts'
import { jobNames, lockSchedule, stationOf, stationReach } from '../lib/backup/schedule.ts'
import { backupOf, openStore, serverReach, storeSecrets } from '../lib/backup/target.ts'
import type { BackupSchedule } from '../lib/inventory/inventory.ts'
import { destroyData, removeServer } from '../lib/rustfs/down.ts'
import { type Server, serverOf } from '../lib/rustfs/server.ts'
import type { Store } from '../lib/s3/store.ts'
import { schedulerOf } from '../lib/schedule/scheduler.ts'
import type { Proof } from '../lib/task/confirm.ts'
import { TaskError } from '../lib/task/errors.ts'
import { exitCode } from '../lib/task/exit-code.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  destroyData: z.boolean().default(false).describe('delete all backups of this estate, too'),
  confirm: z.string().optional().meta({
    description: 'allow --destroy-data for an estate with a production database',
    placeholder: 'ESTATE',
  }),
})
type Flags = z.output<typeof flags>

export const task = defineTask({
  name: 'backup-down',
  summary: 'Take the schedule of the backups away, and a store of our own; the backups stay',
  details:
    'Removes the timers, or the lines in the crontab, that backup-up has made, and the container of the store that it ' +
    'has started. A backup that is at work comes to its end. --destroy-data deletes all backups of the estate, and ' +
    'nothing else in the bucket. Safe to run again.',
  examples: [
    'npx tsx tasks/backup-down.ts --dry-run',
    'npx tsx tasks/backup-down.ts',
    'npx tsx tasks/backup-down.ts --destroy-data',
  ],
  flags,
  preflight: ({ estate, flags: given }) => {
    const backup = backupOf(estate)
    return {
      problems: destroyProblems(estate, given),
      secrets: given.destroyData ? storeSecrets(backup) : [],
      reach: [...stationReach(backup.schedule), ...serverReach(backup)],
    }
  },
  async run(session) {
    const { estate, hosts } = session
    const { schedule, store } = backupOf(estate)
    const server = store.server && (await serverOf(hosts, estate, store, store.server))
    if (server) {
      await session.lock(`store/${estate.name}`, (holder) => server.host.lock(`store/${estate.name}`, holder))
    }
    if (schedule) await removeSchedule(session, schedule)
    else session.note('the inventory has no backup.schedule, so there is none to take away')
    const proof = session.flags.destroyData ? await destroyInStore(session, server) : undefined
    if (server) await removeServer(session, server)
    if (server && proof) await destroyData(session, server, proof)
  },
})

async function removeSchedule(session: Session<Flags>, schedule: BackupSchedule): Promise<void> {
  const station = await stationOf(session, schedule)
  await lockSchedule(session, station)
  const scheduler = await schedulerOf(station.host, station.user, session.run)
  const names = jobNames(session.estate)
  await session.step(
    `Take the backups out of ${scheduler.name}`,
    () => scheduler.remove(names),
    async () => {
      const left = await scheduler.installed(names)
      if (left.length > 0) throw new TaskError(`${scheduler.name} still has ${left.join(', ')}`)
    },
  )
  const running = await scheduler.running(names)
  if (running.length === 0) return
  const atWork = `${running.join(' and ')} is at work on ${schedule.host}`
  const { server } = backupOf(session.estate).store
  if ((session.flags.destroyData || server) && !session.dryRun) {
    const stays = session.flags.destroyData ? 'nothing is destroyed' : 'its store stays'
    throw new TaskError(`${atWork}, so ${stays}`, {
      code: exitCode.locked,
      next: `wait until it has ended, or on ${schedule.host}: systemctl stop ${running.join(' ')}`,
    })
  }
  session.note(`${atWork}; it comes to its end`)
}

/** @returns the operator's word, where it is for the store's own folder too */
async function destroyInStore(
  session: Session<Flags>,
  server: Server | undefined,
): Promise<Proof | undefined> {
  const { estate, dryRun } = session
  const store = await openStore(session)
  const prefix = estatePrefix(estate.name)
  const { objects, isEmpty } = await session.step(`Look below ${prefix} in ${store.name}`, async () => {
    const [found, versions, uploads] = await Promise.all([
      store.list(prefix),
      store.versions(prefix),
      store.openUploads(prefix),
    ])
    return { objects: found, isEmpty: versions.length === 0 && uploads.length === 0 }
  })
  if (isEmpty) {
    session.note(`${store.name} has nothing of ${estate.name}`)
    if (!server) return undefined
  } else session.note(['these backups will be gone:', ...describeBackups(estate.name, objects)].join('\n'))
  const proof = await session.confirm(
    estate.name,
    `This deletes every backup of ${estate.name} in ${store.name}, for good.`,
  )
  if (!isEmpty) {
    await session.step(
      `Delete what is below ${prefix}`,
      () => destroyBackups(store, estate.name, proof, dryRun),
      () => proveDestroyed(store, estate.name),
    )
  }
  return server && !(await hasOthers(session, store)) ? proof : undefined
}

/** Other estates may have theirs in a store of ours. */
async function hasOthers(session: Session<Flags>, store: Store): Promise<boolean> {
  const prefix = estatePrefix(session.estate.name)
  const buckets = (await store.buckets()).filter((name) => name !== store.entry.bucket)
  const objects = (await store.versions('')).filter(({ key }) => !key.startsWith(prefix))
  const others = [
    ...buckets.map((name) => `the bucket ${name}`),
    ...objects.slice(0, 1).map(({ key }) => key),
  ]
  if (others.length === 0) return false
  session.warn(`the store also has ${others.join(', ')}: its data folder stays`)
  return true
}

await runIfMain(import.meta, task)

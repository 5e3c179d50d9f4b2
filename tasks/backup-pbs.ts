/**
 * Shows for every guest of the Proxmox VE clusters whether it is backed up to the Proxmox Backup Server: by which job,
 * how old the newest backup is, what came of its verification. Ends with 1 when one is not as the inventory wants it.
 * Changes nothing, but with --start.
 *
 *   npx tsx tasks/backup-pbs.ts
 *   npx tsx tasks/backup-pbs.ts --quiet                  # cron: says nothing when all is well
 *   npx tsx tasks/backup-pbs.ts --start vm-app           # a guest or a job, backed up now, to its end
 *   npx tsx tasks/backup-pbs.ts --files vm-app           # opens its newest backup, and lists what is in it
 */
import * as z from 'zod'

import { type Failure, failuresError } from '../lib/backup/failures.ts'
import { surveyData } from '../lib/backup/guests/data.ts'
import { describeSurvey } from '../lib/backup/guests/describe.ts'
import { unwellError } from '../lib/backup/guests/judge.ts'
import { describeListings, requireFiles, volumeOf } from '../lib/backup/guests/opened.ts'
import { pick, pickGuest } from '../lib/backup/guests/pick.ts'
import { proofOf } from '../lib/backup/guests/proof.ts'
import {
  checkRuns,
  type PlannedRun,
  planRuns,
  type StartedRun,
  startRun,
} from '../lib/backup/guests/start.ts'
import { requireOn, type Survey, surveyCluster } from '../lib/backup/guests/survey.ts'
import { apiSecrets, backedClusters } from '../lib/backup/guests/target.ts'
import { listFiles } from '../lib/pve/files.ts'
import { type ClusterTask, follow, isWell, stop } from '../lib/pve/tasks.ts'
import { TaskError } from '../lib/task/errors.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  start: z
    .string()
    .optional()
    .meta({ description: 'back up this guest (name or VMID), or run this job', placeholder: 'NAME' }),
  files: z
    .string()
    .optional()
    .meta({ description: "open this guest's newest backup and list its files", placeholder: 'GUEST' }),
})
type Flags = z.output<typeof flags>

export const task = defineTask({
  name: 'backup-pbs',
  summary: 'Show which guests Proxmox Backup Server has, how old and how well verified',
  details:
    'Asks the APIs of Proxmox VE and of the backup server, and changes nothing but with --start, which removes no ' +
    'backup. The exit code is 1 when a guest is not backed up as the inventory wants it, and 3 when nobody answers.',
  examples: [
    'npx tsx tasks/backup-pbs.ts',
    'npx tsx tasks/backup-pbs.ts --start vm-app',
    'npx tsx tasks/backup-pbs.ts --files vm-app',
    'npx tsx tasks/backup-pbs.ts --quiet   # cron',
  ],
  flags,
  preflight: ({ estate, flags: { start, files } }) => {
    const clusters = backedClusters(estate)
    return {
      problems: [
        ...(clusters.length === 0
          ? [`${estate.file} has no "proxmox" with a "backup"; docs/inventory.md says how to add one`]
          : []),
        ...(start !== undefined && files !== undefined
          ? ['--start and --files are two things: one a run']
          : []),
      ],
      secrets: apiSecrets(clusters),
      reach: [],
    }
  },
  async run(session) {
    const { start, files } = session.flags
    const { surveys, failures } = await survey(session)
    if (start !== undefined || files !== undefined) {
      const [first] = failures
      if (surveys.length === 0 && first) throw first.error
      for (const { name, error } of failures)
        session.warn(`${name}: ${error instanceof Error ? error.message : String(error)}`)
      if (start !== undefined) await startBackup(session, surveys, start)
      if (files !== undefined) await openFiles(session, surveys, files)
      return
    }
    for (const one of surveys) {
      session.show('guest-backups', surveyData(one), describeSurvey(one))
      for (const warning of one.warnings) session.warn(`${one.name}: ${warning}`)
      const error = unwellError(one.guests)
      if (error) failures.push({ name: one.name, error })
    }
    const [first, ...others] = failures
    if (!first) return
    const all = backedClusters(session.estate).length
    throw all === 1 && others.length === 0 ? first.error : await failuresError(failures, all, 'well')
  },
})

/** All that can be asked; one cluster that cannot does not hide the others. */
async function survey(session: Session<Flags>): Promise<{ surveys: Survey[]; failures: Failure[] }> {
  const surveys: Survey[] = []
  const failures: Failure[] = []
  for (const { name, ...target } of backedClusters(session.estate)) {
    try {
      surveys.push(
        await session.step(`Look at the guests and backups of ${name}`, async (step) => {
          const found = await surveyCluster(session, name, target)
          step.detail = `${found.guests.length} guests, ${found.jobs.length} jobs`
          return found
        }),
      )
    } catch (error) {
      if (session.run.signal().aborted) throw error
      failures.push({ name, error })
    }
  }
  return { surveys, failures }
}

async function startBackup(session: Session<Flags>, surveys: Survey[], name: string): Promise<void> {
  const picked = pick(surveys, name)
  const found = picked.survey
  const runs = planRuns(picked)
  await session.step(`Look whether ${name} can be backed up now`, () => checkRuns(found, runs))
  const started: StartedRun[] = []
  const failures: Failure[] = []
  const attempt = async (node: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (session.run.signal().aborted) throw error
      failures.push({ name: node, error })
    }
  }
  try {
    for (const run of runs) await attempt(run.node, () => begin(session, found, run, started))
    await Promise.all(
      started.map(({ node, running }) => attempt(node, () => waitFor(session, found, running))),
    )
  } catch (error) {
    if (started.length === 0) throw error
    await stopAll(session, found, started, error)
  }
  const [first, ...others] = failures
  if (first) throw others.length === 0 ? first.error : await failuresError(failures, runs.length, 'backed up')
  await session.prove(`Find the new backups in ${found.entry.datastore}`, async (step) => {
    const proof = await proofOf(found, started)
    step.detail = proof.found.join(', ')
    if (proof.missing.length > 0) {
      throw new TaskError(`the datastore has no new backup of ${proof.missing.join(', ')}`)
    }
  })
}

async function begin(
  session: Session<Flags>,
  { cluster }: Survey,
  run: PlannedRun,
  started: StartedRun[],
): Promise<void> {
  const { node, guests } = run
  const what = guests.map(({ name }) => name).join(', ')
  await session.step(`Start the backup of ${what} on ${node}`, async (step) => {
    const one = await startRun(cluster, run)
    step.detail = one?.running.upid
    if (one) started.push(one)
    else if (!session.dryRun) throw new TaskError(`${node} has started nothing: it has none of ${what}`)
  })
}

async function waitFor(session: Session<Flags>, { cluster }: Survey, running: ClusterTask): Promise<void> {
  const { node, upid } = running
  await session.step(`Wait for the backup on ${node}`, async (step) => {
    const { status, log } = await follow(cluster, running, (line) => session.progress(step, line))
    if (!isWell(status))
      throw new TaskError(`the backup on ${node} failed: ${status}`, { seen: log.join('\n') })
    if (status !== 'OK') session.warn(`the backup on ${node} ended with ${status}: ${upid}`)
    step.detail = status
  })
}

/** Ctrl-C ends what was started, there too: the cluster would go on with it. */
function stopAll(
  session: Session<Flags>,
  { cluster }: Survey,
  started: readonly StartedRun[],
  error: unknown,
): Promise<never> {
  const upids = started.map(({ running }) => running.upid).join(', ')
  return session.recover(error, {
    title: 'Stop what was started',
    next: `stop it in the web interface, or let it come to its end: ${upids}`,
    work: async () => {
      for (const { running } of started) {
        await stop(cluster, running)
        await follow(cluster, running, () => {})
      }
      return `stopped: ${upids}`
    },
  })
}

async function openFiles(session: Session<Flags>, surveys: Survey[], name: string): Promise<void> {
  const { survey: of, guest } = pickGuest(surveys, name)
  const volume = volumeOf(of, guest)
  if (guest.newest?.verified === 'failed') session.warn(`${volume.snapshot} failed its verification`)
  const listings = await session.step(`Open ${volume.snapshot} on ${volume.node}`, async (step) => {
    await requireOn(of.cluster, `/storage/${volume.storage}`, ['Datastore.AllocateSpace'])
    await requireOn(of.cluster, `/vms/${guest.guest.vmid}`, ['VM.Backup'])
    const found = await listFiles(of.cluster, volume, (what) => session.progress(step, what))
    requireFiles(volume, found)
    return found
  })
  session.show(
    'guest-files',
    { cluster: of.name, guest: guest.guest.name, vmid: guest.guest.vmid, ...volume, listings },
    `${guest.guest.name}: ${volume.snapshot}\n${describeListings(listings)}`,
  )
}

await runIfMain(import.meta, task)

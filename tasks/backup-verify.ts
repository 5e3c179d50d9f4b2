/**
 * Restores the newest backup of each database into a scratch database, compares it with what was dumped, asks the
 * inventory's own questions, and records what came of it beside the backup. The scratch database is dropped at the
 * end; nothing else is changed. Safe to run again: a run drops what one before it has left.
 *
 *   npx tsx tasks/backup-verify.ts                          # the newest of each
 *   npx tsx tasks/backup-verify.ts --only weltenwind --backup 20261124T023000Z
 *   npx tsx tasks/backup-verify.ts --quiet                  # cron: says nothing when all is well
 */
import { z } from 'zod'

import { readBackups } from '../lib/backup/backups.ts'
import { describeBackup, postgresManifest, toVerify } from '../lib/backup/choose.ts'
import { writeEvidence } from '../lib/backup/evidence.ts'
import { type Failure, failuresError } from '../lib/backup/failures.ts'
import { condemn, describeExamined, examine, judge, readyToRebuild, rebuild } from '../lib/backup/rebuild.ts'
import { nameOf, type Subject } from '../lib/backup/subject.ts'
import {
  backupOf,
  checksOf,
  chosenSubjects,
  identityOf,
  identityProblems,
  localeOf,
  stepIntoStore,
  restoreSecrets,
  scratchClusterOf,
} from '../lib/backup/target.ts'
import { readDatabases } from '../lib/postgres/catalog.ts'
import { findPrimary } from '../lib/postgres/cluster.ts'
import { currentRole } from '../lib/postgres/restore/roles.ts'
import { scratchName, shapeOf } from '../lib/postgres/restore/scratch.ts'
import { dropLeftovers, withScratch } from '../lib/postgres/restore/with-scratch.ts'
import { size } from '../lib/postgres/size.ts'
import type { Store } from '../lib/s3/store.ts'
import { TaskError } from '../lib/task/errors.ts'
import { exitCode } from '../lib/task/exit-code.ts'
import { explain } from '../lib/task/explain.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'
import { duration } from '../lib/task/text.ts'

const flags = z.object({
  only: z
    .array(z.string())
    .optional()
    .meta({ description: 'only this database (or cluster/database)', placeholder: 'NAME' }),
  backup: z
    .string()
    .optional()
    .meta({ description: 'this backup instead of the newest one; with one --only', placeholder: 'ID' }),
})
type Flags = z.output<typeof flags>

export const task = defineTask({
  name: 'backup-verify',
  summary: 'Restore the newest backups into scratch databases, and compare',
  details:
    'Each is restored into a new database beside the others, compared with what was dumped (tables, rows, migrations), ' +
    'asked the checks of the inventory, and dropped. What came of it is recorded beside the backup. One that fails ' +
    'does not stop the others. Safe to run again.',
  examples: [
    'npx tsx tasks/backup-verify.ts',
    'npx tsx tasks/backup-verify.ts --only weltenwind --backup 20261124T023000Z',
    'npx tsx tasks/backup-verify.ts --quiet   # cron',
  ],
  flags,
  preflight: ({ estate, flags: { only, backup } }) => {
    const subjects = chosenSubjects(estate, only)
    const clusters = new Set(
      subjects.flatMap((subject) => (subject.kind === 'postgres' ? scratchClusterOf(estate, subject) : [])),
    )
    return {
      problems: [
        ...identityProblems(estate),
        ...(subjects.length === 0 ? [`${estate.file} has nothing to back up`] : []),
        ...(backup !== undefined && subjects.length !== 1 ? ['--backup goes with one --only'] : []),
      ],
      secrets: [
        ...restoreSecrets(backupOf(estate)),
        ...[...clusters].flatMap((name) => {
          const cluster = estate.cluster(name)
          return 'url' in cluster ? [cluster.url] : []
        }),
      ],
      // Not here, where a machine that does not answer would stop the others.
      reach: [],
    }
  },
  async run(session) {
    const subjects = chosenSubjects(session.estate, session.flags.only)
    const store = await stepIntoStore(session)
    const failures: Failure[] = []
    for (const subject of subjects) {
      try {
        if (subject.kind === 'postgres') await verifyDatabase(session, store, subject)
        else session.warn(`${nameOf(subject)}: folders cannot be verified yet`)
      } catch (error) {
        const explained = await explain(error)
        if (explained instanceof TaskError && explained.code === exitCode.cancelled) throw explained
        failures.push({ name: nameOf(subject), error: explained })
      }
    }
    if (failures.length > 0) throw await failuresError(failures, subjects.length, 'verified')
  },
})

async function verifyDatabase(
  session: Session<Flags>,
  store: Store,
  subject: Subject & { kind: 'postgres' },
): Promise<void> {
  const { estate } = session
  const { database } = subject
  const name = nameOf(subject)
  const { backup, manifest } = await session.step(`Find the newest backup of ${name}`, async (step) => {
    const choice = toVerify(subject, await readBackups(store, estate, subject), session.flags.backup)
    for (const remark of choice.remarks) session.warn(`${name}: ${remark}`)
    step.detail = describeBackup(choice.backup, new Date())
    return { ...choice, manifest: postgresManifest(choice.backup) }
  })
  const cluster = scratchClusterOf(estate, subject)
  const primary = await session.step(`Find the primary of ${cluster}`, async (step) => {
    const found = await findPrimary(session, cluster)
    step.title = `Primary of ${cluster} is ${found.server.name}`
    return found
  })
  for (const silent of primary.silent) session.warn(`no answer: ${silent}`)
  const { server } = primary
  const title = `backup-verify/${database}`
  const release = await session.lock(title, (holder) => server.lock(title, holder))
  try {
    await dropLeftovers(session, server, database, 'verify')
    const work = {
      store,
      backup,
      manifest,
      identity: identityOf(estate),
      cluster,
      primary,
      checks: checksOf(estate, subject),
    }
    const { ready, shape, scratch } = await session.step(
      `Look whether ${server.name} can take it`,
      async (step) => {
        const found = await readyToRebuild(session, work).catch((error: unknown) => judge(work, 0, error))
        const all = await readDatabases(server)
        const owner = found.missing.includes(manifest.owner) ? await currentRole(server) : manifest.owner
        const like = shapeOf(all, database, owner, localeOf(estate, cluster))
        step.detail = `pg_restore ${found.program.version}, ${size(manifest.bytes)} to restore`
        return {
          ready: found,
          shape: { like: { ...like, owner }, settings: { settings: [], grants: null } },
          scratch: scratchName(database, 'verify', new Date()),
        }
      },
    )
    const { restoreMs, wrong } = await withScratch(session, server, scratch, async () => {
      const start = performance.now()
      const roles = ready.missing.length === 0
      const ms = await rebuild(session, work, ready, {
        name: scratch,
        shape,
        mark: { scratch: 'verify' },
        roles,
      }).catch((error: unknown) => judge(work, Math.round(performance.now() - start), error))
      const found: string[] = []
      await session.prove(`Compare it with the manifest`, async (step) => {
        found.push(...(await examine(work, scratch)))
        step.detail = found.length === 0 ? describeExamined(work) : `${found.length} differences`
      })
      return { restoreMs: ms, wrong: found }
    })
    if (wrong.length > 0) await condemn(work, restoreMs, wrong)
    await session.step(`Record that ${backup.id} of ${name} is good`, async (step) => {
      await writeEvidence(store, backup.prefix, {
        restoreMs,
        on: server.name,
        outcome: 'good',
        findings: [describeExamined(work)],
      })
      if (!session.dryRun) step.detail = `restored in ${duration(restoreMs)} (RTO)`
    })
  } finally {
    await release()
  }
}

await runIfMain(import.meta, task)

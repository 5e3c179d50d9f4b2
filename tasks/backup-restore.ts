/**
 * Brings a database back from its backup: restores it beside the present one, compares it with what was dumped, and
 * only then gives it the name. The present one is kept under another name, one command away. Also for one that is
 * gone, and on a new machine that pg-setup has set up. Safe to run again.
 *
 *   npx tsx tasks/backup-restore.ts --database weltenwind --dry-run
 *   npx tsx tasks/backup-restore.ts --database weltenwind            # the newest verified one; asks you to type "weltenwind"
 *   npx tsx tasks/backup-restore.ts --database weltenwind --backup 20261124T023000Z
 *   npx tsx tasks/backup-restore.ts --database weltenwind --undo     # puts the one before the restore back
 */
import { z } from 'zod'

import { readBackups } from '../lib/backup/backups.ts'
import { describeBackup, postgresManifest, toRestore } from '../lib/backup/choose.ts'
import { writeEvidence } from '../lib/backup/evidence.ts'
import {
  condemn,
  describeExamined,
  examine,
  judge,
  readyToRebuild,
  rebuild,
  type Rebuilding,
} from '../lib/backup/rebuild.ts'
import { restorePreflight } from '../lib/backup/restore-target.ts'
import { describeRestored, restoredData } from '../lib/backup/restored.ts'
import { checksOf, identityOf, localeOf, stepIntoStore } from '../lib/backup/target.ts'
import { Pausing } from '../lib/pgbouncer/pause.ts'
import type { Pooler } from '../lib/pgbouncer/pooler.ts'
import { poolerOf } from '../lib/pgbouncer/poolers.ts'
import { type DatabaseFacts, readDatabases, readSessions } from '../lib/postgres/catalog.ts'
import { claimDatabase, undoCommand } from '../lib/postgres/claim.ts'
import { findPrimaryAgain, type Primary, reasonOf } from '../lib/postgres/cluster.ts'
import { closeDoor, endSessions, letTransactionsEnd, renameDatabases } from '../lib/postgres/database.ts'
import { copyName, unfinishedReset } from '../lib/postgres/kept.ts'
import { refuse } from '../lib/postgres/refusal.ts'
import { proveFilled } from '../lib/postgres/reset/proof.ts'
import { insistOnPutBack, proveBack } from '../lib/postgres/reset/put-back.ts'
import { pause, resume, undo, warnNotPaused } from '../lib/postgres/reset/undo.ts'
import { createSilentRoles } from '../lib/postgres/restore/roles.ts'
import { scratchName, shapeOf } from '../lib/postgres/restore/scratch.ts'
import { dropLeftovers, insistOnDrop } from '../lib/postgres/restore/with-scratch.ts'
import { transaction } from '../lib/postgres/server.ts'
import { applySettings, readSettings } from '../lib/postgres/settings.ts'
import { size } from '../lib/postgres/size.ts'
import { sql } from '../lib/postgres/sql.ts'
import type { DatabaseTarget } from '../lib/postgres/target.ts'
import { TaskError } from '../lib/task/errors.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  database: z.string().meta({ description: 'the database, as the inventory calls it', placeholder: 'NAME' }),
  backup: z
    .string()
    .optional()
    .meta({ description: 'this backup instead of the newest verified one', placeholder: 'ID' }),
  confirm: z
    .string()
    .optional()
    .meta({ description: 'allow it for this production database', placeholder: 'NAME' }),
  undo: z.boolean().default(false).describe('put the database back that the restore has replaced'),
})
type Flags = z.output<typeof flags>

/** How long a machine may take to come back before the old database is given up on. Milliseconds. */
const patience = 60_000

const noSettings = { settings: [], grants: null }

export const task = defineTask({
  name: 'backup-restore',
  summary: 'Bring a database back from its backup',
  details:
    'The newest verified backup is restored into a new database beside the present one and compared with what was ' +
    'dumped; then the two change names in one step. The present one is kept as <name>__before_restore_<UTC time>; ' +
    '--undo puts it back. Whatever fails before leaves it as it is. Safe to run again.',
  examples: [
    'npx tsx tasks/backup-restore.ts --database weltenwind --dry-run',
    'npx tsx tasks/backup-restore.ts --database weltenwind',
    'npx tsx tasks/backup-restore.ts --database weltenwind --backup 20261124T023000Z',
    'npx tsx tasks/backup-restore.ts --database weltenwind --undo',
  ],
  flags,
  preflight: ({ estate, flags: given }) => restorePreflight(estate, given),
  async run(session) {
    const { target, primary } = await claimDatabase(session)
    const pooler = await poolerOf(session, target.cluster).catch((error: unknown) => {
      if (!session.flags.undo) throw error
      return warnNotPaused(session, error)
    })
    const pausing = new Pausing(pooler)
    try {
      if (session.flags.undo) await undo(session, target, primary, pausing)
      else await restore(session, target, primary, pooler, pausing)
    } finally {
      await pausing.resume().catch((error: unknown) => {
        session.warn(`${pausing.name} is resumed by its own machine: ${String(error)}`)
      })
    }
  },
})

async function restore(
  session: Session<Flags>,
  target: DatabaseTarget,
  primary: Primary,
  pooler: Pooler | undefined,
  pausing: Pausing,
): Promise<void> {
  const { estate } = session
  const { name, cluster } = target
  const { server } = primary
  const undoing = undoCommand(session, target, 'backup-restore')
  const work = await chooseBackup(session, target, primary)
  const { backup, manifest } = work
  const found = await session.step(`Look at ${name} on ${server.name}`, async (step) => {
    const all = await readDatabases(server, name)
    const isThere = all.some((facts) => facts.name === name) || unfinishedReset(name, all)
    const there = isThere ? refuse(server, target, session.flags, all, undoing) : undefined
    // Whatever is wrong with it is to be known before anything is made.
    if (there) await pooler?.isRunning()
    const ready = await readyToRebuild(session, work).catch((error: unknown) => judge(work, 0, error))
    const { owner } = target.database
    if (!there && ready.missing.includes(owner)) {
      throw new TaskError(`${server.name} has no role ${owner}, whom ${name} is to belong to`, {
        next: session.command('pg-setup', ['--cluster', cluster]),
      })
    }
    step.detail = `pg_restore ${ready.program.version}, ${size(manifest.bytes)} to restore`
    const like = shapeOf(all, name, owner, localeOf(estate, cluster))
    const connected = there ? await readSessions(server, name) : []
    return {
      there,
      ready,
      like,
      settings: there ? await readSettings(server, there.oid) : noSettings,
      sessions: connected.reduce((sum, { count }) => sum + count, 0),
    }
  })
  const { there, ready, like, settings } = found
  session.note(
    `source: ${describeBackup(backup, new Date())}, of ${manifest.source.server}; ${describeExamined(work)}`,
  )
  session.note(`target: ${name} on ${server.name}, ${target.database.environment}: ${describeTarget(found)}`)
  const keptName = copyName(name, 'before_restore', new Date())
  if (there) {
    session.note(`it will be kept as ${keptName}`)
    await session.confirm(
      name,
      `This replaces ${name} on ${server.name} by what it was at ${manifest.taken}.`,
    )
  }
  const start = performance.now()
  await dropLeftovers(session, server, name, 'restore')
  if (ready.missing.length > 0) {
    await session.step(`Create roles that nobody can log in as: ${ready.missing.join(', ')}`, () =>
      createSilentRoles(server, ready.missing),
    )
    session.warn(
      `${ready.missing.join(', ')} had to be made, without password and settings: those are in globals.age of the backup`,
    )
  }
  const beside = scratchName(name, 'restore', new Date())
  try {
    const restoreMs = await rebuild(session, work, ready, {
      name: beside,
      shape: { like, settings: noSettings },
      mark: { scratch: 'restore' },
      roles: true,
    }).catch((error: unknown) => judge(work, Math.round(performance.now() - start), error))
    await session.prove('Compare it with the manifest', async (step) => {
      const wrong = await examine(work, beside)
      if (wrong.length > 0) await condemn(work, restoreMs, wrong)
      step.detail = describeExamined(work)
    })
    await session.step('Record that it could be restored', async (step) => {
      const evidence = {
        restoreMs,
        on: server.name,
        outcome: 'good' as const,
        findings: [describeExamined(work)],
      }
      await writeEvidence(work.store, backup.prefix, evidence).catch((error: unknown) => {
        step.detail = `it is not recorded: ${reasonOf(error)}`
      })
    })
    // Without it, every question is slow until autovacuum has come by.
    await session.step('Gather statistics for the planner', () => server.change([sql`analyze`], beside))
    const toApply = applySettings(beside, like.owner, settings)
    if (toApply.length > 0) {
      await session.step(`Give it the settings and grants of ${name}`, () =>
        server.change(transaction(toApply)),
      )
    }
    await swap(session, target, primary, pausing, { there, like, beside, keptName })
  } catch (error) {
    await session.recover(error, {
      title: `Leave ${name} as it was`,
      next: there ? undoing : 'run it again: it drops what is left',
      work: async (step) => {
        step.title = await leaveAsItWas(session, target, pausing, there, beside)
        return step.title
      },
    })
  }
  const report = {
    rtoMs: Math.round(performance.now() - start),
    rpoMs: Date.now() - Date.parse(manifest.taken),
  }
  await proveLogin(session, target, primary)
  if (session.dryRun) return
  session.show('backup-restored', restoredData(work, report), describeRestored(work, report))
  if (there) session.note(`put the old one back: ${undoing}`)
}

async function chooseBackup(
  session: Session<Flags>,
  { name, cluster }: DatabaseTarget,
  primary: Primary,
): Promise<Rebuilding> {
  const { estate } = session
  const subject = { kind: 'postgres' as const, cluster, database: name }
  const store = await stepIntoStore(session)
  const { backup, remarks } = await session.step(`Choose a backup of ${name}`, async (step) => {
    const choice = toRestore(subject, await readBackups(store, estate, subject), session.flags.backup)
    step.detail = describeBackup(choice.backup, new Date())
    return choice
  })
  for (const remark of remarks) session.warn(remark)
  return {
    store,
    backup,
    manifest: postgresManifest(backup),
    identity: identityOf(estate),
    cluster,
    primary,
    checks: checksOf(estate, subject),
  }
}

/** The restored one gets the name, and the old one another; both in one step. */
async function swap(
  session: Session<Flags>,
  target: DatabaseTarget,
  { server }: Primary,
  pausing: Pausing,
  {
    there,
    like,
    beside,
    keptName,
  }: { there: DatabaseFacts | undefined; like: DatabaseFacts; beside: string; keptName: string },
): Promise<void> {
  const { name } = target
  const mark = { environment: target.database.environment }
  const restored = session.dryRun
    ? undefined
    : (await readDatabases(server)).find((facts) => facts.name === beside)
  if (there) {
    await pause(session, pausing, () => letTransactionsEnd(server, name))
    await session.step(`Close the door of ${name}`, () =>
      closeDoor(server, there, { ...mark, reset: 'closing' }),
    )
    await session.step(`End the sessions of ${name}`, () => endSessions(server, name, session.dryRun))
  }
  await session.step(
    `Give ${beside} the name ${name}`,
    async () => {
      await endSessions(server, beside, session.dryRun)
      await renameDatabases(server, [
        ...(there
          ? [{ from: there, to: keptName, mark: { ...mark, reset: 'finished' as const }, open: false }]
          : []),
        { from: { ...like, name: beside, words: there?.words ?? '' }, to: name, mark, open: true },
      ])
    },
    () => proveBack(server, name, restored?.oid ?? ''),
  )
  if (there) await resume(session, pausing)
}

/** @returns where things stand then */
async function leaveAsItWas(
  session: Session<Flags>,
  { name, cluster }: DatabaseTarget,
  pausing: Pausing,
  there: DatabaseFacts | undefined,
  beside: string,
): Promise<string> {
  const { server } = await findPrimaryAgain(session, cluster, patience)
  if (there) {
    await pausing.pause().catch(() => false)
    await insistOnPutBack(server, name, there.oid, session.dryRun)
  }
  await insistOnDrop(server, beside)
  if (there) return `${name} is as it was, open to connections, and ${beside} is dropped`
  const isThere = (await readDatabases(server)).some((facts) => facts.name === name)
  return isThere ? `${name} is restored, and stays` : `${beside} is dropped; there is no ${name}`
}

/** The data is back, whether or not the app's machine answers: what is wrong there is told. */
async function proveLogin(session: Session<Flags>, target: DatabaseTarget, primary: Primary): Promise<void> {
  const { estate, hosts, run } = session
  const { owner } = target.database
  await session.prove(`Prove that ${owner} can use ${target.name}`, async (step) => {
    try {
      step.detail = await proveFilled({ estate, hosts, run, flags: { skipMigrate: true } }, primary, target)
    } catch (error) {
      step.title = `${owner} cannot use ${target.name} yet`
      session.warn(`not proven: ${reasonOf(error)}`)
    }
  })
}

function describeTarget({ there, sessions }: { there: DatabaseFacts | undefined; sessions: number }): string {
  if (!there) return 'it is not there, and will be created'
  return `${size(there.bytes)}, owner ${there.owner}, ${sessions === 0 ? 'nobody is connected' : `${sessions} connected`}`
}

await runIfMain(import.meta, task)

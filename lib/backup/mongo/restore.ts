import { type Collections, listCollections, readCollections } from '../../mongo/collections.ts'
import { reasonOf } from '../../mongo/members.ts'
import { literally } from '../../mongo/restore.ts'
import type { MongoServer } from '../../mongo/server.ts'
import type { Standing } from '../../mongo/standing.ts'
import { keptTimes, leftovers, openSwap, ours, restoring, type Swap, undoing } from '../../mongo/swap.ts'
import { TaskError } from '../../task/errors.ts'
import type { Session } from '../../task/session.ts'
import { describeBackup, mongoManifest, toRestore } from '../choose.ts'
import { stampOf } from '../layout.ts'
import { pickBackup } from '../pick.ts'
import type { RestoreFlags } from '../restore-flags.ts'
import { describeRestored, restoredData } from '../restored.ts'
import { type MongoSubject, nameOf } from '../subject.ts'
import { identityOf, stepIntoStore } from '../target.ts'
import { approve, condemn, judge } from '../verdict.ts'
import { differences } from './compare.ts'
import { describeExamined, type Readiness, readyToRebuild, rebuild, type Rebuilding } from './rebuild.ts'
import { partsOf, refuseUnrenamable } from './renamable.ts'
import { dropCollections, insistOnDrop, insistOnSwap, renamableIn } from './swapping.ts'
import { stepToPrimary } from './verify.ts'

/**
 * Brings a database back: restores its collections beside the present ones, under other names, compares them, and then
 * swaps the names. With `--undo`, puts back the ones before. What a run before has begun is finished first.
 */
export async function restoreMongo(session: Session<RestoreFlags>, subject: MongoSubject): Promise<void> {
  const name = nameOf(subject)
  const primary = await stepToPrimary(session, subject.cluster)
  const { server } = primary
  const title = `mongo/${name}`
  await session.lock(title, (holder) => server.lock(title, holder))
  const open = openSwap(await renamableIn(server, subject.database))
  if (open) {
    await session.step(`Finish what a run before has begun with ${name}`, () =>
      insistOnSwap(session, subject, open),
    )
    session.note(`${name} is whole again; what was put aside is kept as ${open.kept}<name>`)
  } else if (session.flags.undo) await undo(session, subject, server)
  else await restore(session, subject, primary)
}

async function restore(
  session: Session<RestoreFlags>,
  subject: MongoSubject,
  primary: Standing,
): Promise<void> {
  const { database } = subject
  const name = nameOf(subject)
  const { server } = primary
  const store = await stepIntoStore(session)
  const backup = await pickBackup(session, store, subject, toRestore)
  const manifest = mongoManifest(backup)
  const work = { store, backup, manifest, identity: identityOf(session.estate), on: server.name, primary }
  const swap = restoring(stampOf(new Date()))
  const { ready, all } = await session.step(`Look at ${name} on ${server.name}`, async (step) => {
    const present = await listCollections(server, database)
    refuseUnrenamable(manifest, present, swap)
    const found = await readyToRebuild(work).catch((error: unknown) => judge(work, 0, error))
    step.detail = `mongorestore ${found.version}`
    return { ready: found, all: present.map((one) => one.name) }
  })
  const live = all.filter((one) => !one.startsWith(ours))
  for (const remark of ready.remarks) session.warn(`${name}: ${remark}`)
  session.note(
    `source: ${describeBackup(backup, new Date())}, of ${manifest.source.server}; ${describeExamined(work)}`,
  )
  session.note(
    `target: ${name} on ${server.name}: ${live.length === 0 ? 'it is not there' : live.join(', ')}`,
  )
  if (live.length > 0) {
    session.note(
      `they will be kept as ${swap.kept}<name>; clients are not kept out: stop the app before, or what it writes ` +
        'from now on is put aside with them',
    )
    await session.confirm(
      database,
      `This replaces ${name} on ${server.name} by what it was at ${manifest.taken}.`,
    )
  }
  const start = performance.now()
  const left = leftovers(all)
  if (left.length > 0) {
    await session.step(`Drop ${left.length} collections that a run that was cut off has left`, () =>
      dropCollections(server, database, left),
    )
  }
  try {
    await fill(session, work, ready, swap, live)
  } catch (error) {
    await session.recover(error, {
      title: `Leave ${name} as it was`,
      next: 'run it again: it drops what is left',
      work: async () => {
        await insistOnDrop(session, subject, swap)
        return `${name} is as it was`
      },
    })
  }
  const { renamed } = partsOf(manifest)
  const planned = session.dryRun ? [...live, ...renamed.map((one) => `${swap.incoming}${one}`)] : undefined
  try {
    await session.step(
      'Give the restored collections their names',
      () => insistOnSwap(session, subject, swap, planned),
      () => proveNames(server, database, renamed),
    )
  } catch (error) {
    await session.recover(error, {
      title: 'Finish it',
      next: 'run it again: what was begun is finished first',
      work: async () => {
        await insistOnSwap(session, subject, swap)
        return `${name} is restored`
      },
    })
  }
  if (session.dryRun) return
  const report = {
    rtoMs: Math.round(performance.now() - start),
    rpoMs: Date.now() - Date.parse(manifest.taken),
  }
  session.show('backup-restored', restoredData(work, report), describeRestored(work, report))
  if (live.length > 0) session.note(`put the old ones back: ${undoCommand(session, subject)}`)
}

/** Restores beside, compares, and records what came of it. Views are made where there are none, and stay where they are. */
async function fill(
  session: Session<RestoreFlags>,
  work: Rebuilding,
  ready: Readiness,
  { incoming }: Swap,
  live: readonly string[],
): Promise<void> {
  const { manifest, primary } = work
  const { database } = manifest
  const { renamed, fixed } = partsOf(manifest)
  const at = (name: string): string => `${database}.${literally(name)}`
  const start = performance.now()
  const restoreMs = await rebuild(session, work, ready, {
    into: `${database}.${incoming}*`,
    renamings: [
      { from: `${database}.*`, to: `${database}.${incoming}*` },
      ...fixed.map((name) => ({ from: at(name), to: at(name) })),
    ],
    without: fixed.filter((name) => live.includes(name)).map(at),
  }).catch((error: unknown) => judge(work, Math.round(performance.now() - start), error))
  await session.prove('Compare them with the manifest', async (step) => {
    const dumped: Collections = Object.fromEntries(
      Object.entries(manifest.collections).filter(([name]) => renamed.includes(name)),
    )
    const wrong = differences(dumped, await readCollections(primary.server, database, incoming))
    if (wrong.length > 0) await condemn(work, restoreMs, wrong)
    step.detail = describeExamined(work)
  })
  await session.step('Record that it could be restored', async (step) => {
    await approve(work, restoreMs, describeExamined(work)).catch((error: unknown) => {
      step.detail = `it is not recorded: ${reasonOf(error)}`
    })
  })
}

async function undo(
  session: Session<RestoreFlags>,
  subject: MongoSubject,
  server: MongoServer,
): Promise<void> {
  const names = await renamableIn(server, subject.database)
  const [newest] = keptTimes(names)
  if (newest === undefined) {
    throw new TaskError(`${nameOf(subject)} on ${server.name} has nothing that a restore has put aside`)
  }
  const swap = undoing(newest, stampOf(new Date()))
  await session.step(`Put back what the restore of ${newest} has put aside`, () =>
    insistOnSwap(session, subject, swap, session.dryRun ? names : undefined),
  )
  session.note(`what was there until now is kept as ${swap.kept}<name>`)
}

async function proveNames(server: MongoServer, database: string, renamed: readonly string[]): Promise<void> {
  const names = await renamableIn(server, database)
  const missing = renamed.filter((name) => !names.includes(name))
  if (missing.length > 0) throw new TaskError(`${missing.join(', ')} did not get their names`)
}

function undoCommand(session: Session<unknown>, subject: MongoSubject): string {
  const { cluster, database } = subject
  const entry = session.estate.mongoCluster(cluster).databases[database]
  const confirm = entry?.environment === 'production' ? ['--confirm', database] : []
  return session.command('backup-restore', ['--database', nameOf(subject), '--undo', ...confirm])
}

import type { Pausing } from '../../pgbouncer/pause.ts'
import type { Pooler } from '../../pgbouncer/pooler.ts'
import { type DatabaseFacts, readContent, readDatabases, readSessions } from '../../postgres/catalog.ts'
import { claimDatabase, undoCommand } from '../../postgres/claim.ts'
import { findPrimaryAgain, type Primary, reasonOf } from '../../postgres/cluster.ts'
import { closeDoor, endSessions, letTransactionsEnd, renameDatabases } from '../../postgres/database.ts'
import { copyName, unfinishedReset } from '../../postgres/kept.ts'
import { refuse } from '../../postgres/refusal.ts'
import { proveFilled } from '../../postgres/reset/proof.ts'
import { insistOnPutBack, proveBack } from '../../postgres/reset/put-back.ts'
import { pause, resume, undo, withPausing } from '../../postgres/reset/undo.ts'
import { dropLeftovers, insistOnDrop } from '../../postgres/restore/drop.ts'
import { checkLocale } from '../../postgres/restore/locale.ts'
import { createSilentRoles } from '../../postgres/restore/roles.ts'
import { scratchName, shapeOf } from '../../postgres/restore/scratch.ts'
import { PostgresError, transaction } from '../../postgres/server.ts'
import { applySettings, noSettings, readSettings } from '../../postgres/settings.ts'
import { identifier, type Sql, sql } from '../../postgres/sql.ts'
import type { DatabaseTarget } from '../../postgres/target.ts'
import { TaskError } from '../../task/errors.ts'
import type { Session } from '../../task/session.ts'
import { size } from '../../task/size.ts'
import { describeBackup, postgresManifest, toRestore } from '../choose.ts'
import { pickBackup } from '../pick.ts'
import type { RestoreFlags } from '../restore-flags.ts'
import { describeRestored, restoredData } from '../restored.ts'
import { type DatabaseSubject, nameOf } from '../subject.ts'
import { checksOf, identityOf, localeOf, stepIntoStore } from '../target.ts'
import { approve, condemn, judge } from '../verdict.ts'
import {
  describeExamined,
  examine,
  type Readiness,
  readyToRebuild,
  rebuild,
  type Rebuilding,
} from './rebuild.ts'

/** How long a machine may take to come back before the old database is given up on. Milliseconds. */
const patience = 60_000

/**
 * Brings a database back beside the present one, and gives it the name when it is proven; or, with `--undo`, puts the
 * one before the restore back.
 */
export async function restoreDatabase(
  session: Session<RestoreFlags>,
  subject: DatabaseSubject,
): Promise<void> {
  const { target, primary } = await claimDatabase(session, nameOf(subject))
  const isUndo = session.flags.undo
  await withPausing(session, target.cluster, isUndo, (pausing, pooler) =>
    isUndo
      ? undo(session, target, primary, pausing)
      : restore(session, subject, target, primary, pooler, pausing),
  )
}

async function restore(
  session: Session<RestoreFlags>,
  subject: DatabaseSubject,
  target: DatabaseTarget,
  primary: Primary,
  pooler: Pooler | undefined,
  pausing: Pausing,
): Promise<void> {
  const { estate } = session
  const { name, cluster } = target
  const { server } = primary
  const undoing = undoCommand(session, target, 'backup-restore')
  const work = await chooseBackup(session, subject, primary)
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
    if (ready.strangers.length > 0) throw notOurs(server.name, ready)
    step.detail = `pg_restore ${ready.program.version}, ${size(manifest.bytes)} to restore`
    // One that pg-setup has just made says nothing of what was there before.
    const model = there && (await readContent(server, name)).tables > 0 ? there : undefined
    const others = all.filter((facts) => facts === model || facts.name !== name)
    const like = shapeOf(others, name, owner, {
      properties: manifest.properties,
      locale: localeOf(estate, cluster),
    })
    if (!('url' in estate.cluster(cluster))) await checkLocale(ready.program, like)
    const connected = there ? await readSessions(server, name) : []
    return {
      there,
      ready,
      model,
      like: { ...like, words: model ? model.words : (manifest.properties?.words ?? '') },
      settings: model ? await readSettings(server, model.oid) : (manifest.properties ?? noSettings),
      sessions: connected.reduce((sum, { count }) => sum + count, 0),
    }
  })
  const { there, ready, model, like, settings } = found
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
      createSilentRoles(server, ready.missing, ready.ourselves),
    )
    session.warn(
      `${ready.missing.join(', ')} had to be made, without password and settings: those are in globals.age of the backup`,
    )
  }
  const beside = scratchName(name, 'restore', new Date())
  try {
    const restoreMs = await rebuild(session, work, ready, {
      name: beside,
      shape: { like: { ...like, words: '' }, settings: noSettings },
      mark: { scratch: 'restore' },
      roles: true,
    }).catch((error: unknown) => judge(work, Math.round(performance.now() - start), error))
    await session.prove('Compare it with the manifest', async (step) => {
      const wrong = await examine(work, beside)
      if (wrong.length > 0) await condemn(work, restoreMs, wrong)
      step.detail = describeExamined(work)
    })
    await session.step('Record that it could be restored', async (step) => {
      await approve(work, restoreMs, describeExamined(work)).catch((error: unknown) => {
        step.detail = `it is not recorded: ${reasonOf(error)}`
      })
    })
    // Without it, every question is slow until autovacuum has come by.
    await session.step('Gather statistics for the planner', () => server.change([sql`analyze`], beside))
    const toApply = applySettings(beside, like.owner, settings)
    if (toApply.length > 0) {
      await session.step(`Give it the settings and grants of ${name}`, async (step) => {
        try {
          await server.change(transaction(toApply))
        } catch (error) {
          // Of one that is gone, its data is worth more: some take a superuser, or a role that is not there.
          if (model || !(error instanceof PostgresError)) throw error
          step.title = `The settings and grants of ${name} are not as they were`
          session.warn(settingsByHand(error, applySettings(name, like.owner, settings)))
        }
      })
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

function settingsByHand(error: PostgresError, statements: readonly Sql[]): string {
  const lines = statements.map(({ text }) => `${text};`)
  return [`${error.message}; what they were, for somebody who may:`, ...lines].join('\n')
}

function notOurs(server: string, { ourselves: { name }, strangers }: Readiness): TaskError {
  return new TaskError(
    `${name} on ${server} cannot act as ${strangers.join(', ')}, who is to own something of what is restored`,
    {
      next: `as a role that may: GRANT ${strangers.map((role) => identifier(role).text).join(', ')} TO ${identifier(name).text}`,
    },
  )
}

async function chooseBackup(
  session: Session<RestoreFlags>,
  subject: DatabaseSubject,
  primary: Primary,
): Promise<Rebuilding> {
  const { estate } = session
  const store = await stepIntoStore(session)
  const backup = await pickBackup(session, store, subject, toRestore)
  return {
    store,
    backup,
    manifest: postgresManifest(backup),
    identity: identityOf(estate),
    on: primary.server.name,
    cluster: subject.cluster,
    primary,
    checks: checksOf(estate, subject),
  }
}

/** The restored one gets the name, and the old one another; both in one step. */
async function swap(
  session: Session<RestoreFlags>,
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
        { from: { ...like, name: beside }, to: name, mark, open: true },
      ])
    },
    () => proveBack(server, name, restored?.oid ?? ''),
  )
  if (there) await resume(session, pausing)
}

/** @returns where things stand then */
async function leaveAsItWas(
  session: Session<RestoreFlags>,
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
async function proveLogin(
  session: Session<RestoreFlags>,
  target: DatabaseTarget,
  primary: Primary,
): Promise<void> {
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

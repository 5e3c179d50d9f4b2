/**
 * Drops a database, creates it again, then migrates and seeds it.
 * The old one is kept under another name, one command away. Safe to run again: what a failure or a
 * crash leaves behind is found by the next run, which says how to repair it.
 *
 *   npx tsx tasks/pg-reset.ts --database weltenwind --dry-run
 *   npx tsx tasks/pg-reset.ts --database weltenwind          # asks you to type "weltenwind"
 *   npx tsx tasks/pg-reset.ts --database weltenwind --yes    # scripts
 *   npx tsx tasks/pg-reset.ts --database weltenwind --undo   # puts the old one back
 */
import * as z from 'zod'

import { appShell } from '../lib/app/app.ts'
import { runInApp } from '../lib/app/run.ts'
import type { Pausing } from '../lib/pgbouncer/pause.ts'
import { readDatabases } from '../lib/postgres/catalog.ts'
import { claimDatabase, undoCommand } from '../lib/postgres/claim.ts'
import { findPrimaryAgain, type Primary } from '../lib/postgres/cluster.ts'
import {
  closeDoor,
  createLike,
  dropDatabase,
  endSessions,
  letTransactionsEnd,
  markDatabase,
  proveDatabase,
  recreateShadow,
  renameDatabases,
} from '../lib/postgres/database.ts'
import { copyName, keptCopies } from '../lib/postgres/kept.ts'
import { checkEnvironment } from '../lib/postgres/refusal.ts'
import { proveFilled } from '../lib/postgres/reset/proof.ts'
import { insistOnPutBack } from '../lib/postgres/reset/put-back.ts'
import { describeCopies, describeSurvey, surveyDatabase } from '../lib/postgres/reset/survey.ts'
import { resetPreflight } from '../lib/postgres/reset/target.ts'
import { pause, resume, undo, withPausing } from '../lib/postgres/reset/undo.ts'
import { databaseFlags, type DatabaseTarget } from '../lib/postgres/target.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = databaseFlags.extend({
  skipMigrate: z.boolean().default(false).describe('leave the new database without tables'),
  skipSeed: z.boolean().default(false).describe('leave the new database without data'),
  discard: z.boolean().default(false).describe('drop the old database at the end instead of keeping it'),
  undo: z
    .boolean()
    .default(false)
    .describe('put the newest kept database back, or repair a reset that was cut off'),
  discardKept: z.boolean().default(false).describe('only drop the kept copies beyond the newest one'),
})
type Flags = z.output<typeof flags>

export const task = defineTask({
  name: 'pg-reset',
  summary: 'Drop a database, create it again, migrate and seed it',
  details:
    'Keeps the old database as <name>__before_reset_<UTC time>, without connections. ' +
    'When anything fails on the way, the old one is back under its name before the task ends, and the ' +
    'half-built one is kept as <name>__failed_<UTC time>. Safe to run again.',
  examples: [
    'npx tsx tasks/pg-reset.ts --database weltenwind --dry-run',
    'npx tsx tasks/pg-reset.ts --database weltenwind',
    'npx tsx tasks/pg-reset.ts --database weltenwind --undo',
  ],
  flags,
  preflight: ({ estate, flags: given }) => resetPreflight(estate, given),
  async run(session) {
    const { target, primary } = await claimDatabase(session, session.flags.database)
    if (session.flags.discardKept) return discardKept(session, target, primary)
    const isUndo = session.flags.undo
    await withPausing(session, target.cluster, isUndo, (pausing) =>
      isUndo ? undo(session, target, primary, pausing) : reset(session, target, primary, pausing),
    )
  },
})

async function reset(
  session: Session<Flags>,
  target: DatabaseTarget,
  primary: Primary,
  pausing: Pausing,
): Promise<void> {
  const { flags: given, dryRun } = session
  const { server } = primary
  const { name } = target
  const app = target.app ? await appShell(session.hosts, target.app.entry) : undefined
  const survey = await session.step(`Look at ${name}`, () =>
    surveyDatabase(server, target, given, app, undoCommand(session, target)),
  )
  const { database, settings, shadow, template1 } = survey
  const mark = { environment: target.database.environment }
  const keptName = copyName(name, 'before_reset', new Date())
  const kept = { ...database, name: keptName }
  session.note(describeSurvey(server, primary.version, target, survey).join('\n'))
  session.note(given.discard ? `it will be dropped at the end (--discard)` : `it will be kept as ${keptName}`)
  const proof = await session.confirm(name, `This empties ${name} on ${server.name}.`)

  await putBackOnFailure(session, target, pausing, database.oid, async () => {
    await pause(session, pausing, () => letTransactionsEnd(server, name))
    await session.step(`Close the door of ${name}`, () =>
      closeDoor(server, database, { ...mark, reset: 'closing' }),
    )
    await session.step(`End the sessions of ${name}`, () => endSessions(server, name, dryRun))
    await session.step(
      `Rename ${name} to ${keptName}`,
      () =>
        renameDatabases(server, [
          { from: database, to: keptName, mark: { ...mark, reset: 'unfinished' }, open: false },
        ]),
      () => proveDatabase(server, kept),
    )
    await session.step(
      `Create an empty ${name}`,
      () => createLike(server, name, database, settings, template1, mark),
      () => proveDatabase(server, { ...database, mark }),
    )
    // The app's own commands may connect through it.
    await resume(session, pausing)
    const shadowName = target.database.shadow
    if (shadowName !== undefined) {
      await session.step(`Create an empty ${shadowName}`, () =>
        recreateShadow(
          server,
          shadow,
          { name: shadowName, owner: target.database.owner, like: database },
          proof,
          name,
        ),
      )
    }
    const { migrate, seed } = target.app?.entry ?? {}
    if (app && migrate && !given.skipMigrate) {
      await session.step(`Migrate: ${migrate}`, (step) => runInApp(session, step, app, migrate))
    }
    if (app && seed && !given.skipSeed) {
      await session.step(`Seed: ${seed}`, (step) => runInApp(session, step, app, seed))
    }
    await session.prove(`Prove that ${target.database.owner} can use ${name}`, async (step) => {
      step.detail = await proveFilled(session, primary, target)
    })
    await session.step(`Mark the reset of ${name} as finished`, () =>
      markDatabase(server, kept, { ...mark, reset: 'finished' }),
    )
  })
  if (given.discard) await session.step(`Drop ${keptName}`, () => dropDatabase(server, keptName, proof, name))
  else if (!dryRun) session.note(`put the old one back: ${undoCommand(session, target)}`)
  const older = survey.kept
  if (older.length > 0) {
    session.note([`older copies, removed with --discard-kept:`, ...describeCopies(older)].join('\n'))
  }
}

/** Whatever goes wrong: the old database has its name again, and is open, before the task ends. */
async function putBackOnFailure(
  session: Session<Flags>,
  target: DatabaseTarget,
  pausing: Pausing,
  oid: string,
  work: () => Promise<void>,
): Promise<void> {
  const { name, cluster } = target
  try {
    await work()
  } catch (error) {
    await session.recover(error, {
      title: `Put ${name} back`,
      next: undoCommand(session, target),
      work: async (step) => {
        const { server } = await findPrimaryAgain(session, cluster)
        // The old database has to come back, whether or not its clients can be made to wait for it.
        await pausing.pause().catch(() => false)
        const way = await insistOnPutBack(server, name, oid, session.dryRun)
        const half = way.way === 'swap' && way.aside ? `; the half-built one is kept as ${way.aside.to}` : ''
        const is = way.way === 'none' ? 'is still' : 'is back'
        step.title = `${name} ${is} under its name, open to connections`
        return `${step.title}${half}`
      },
    })
  }
}

async function discardKept(
  session: Session<Flags>,
  target: DatabaseTarget,
  { server }: Primary,
): Promise<void> {
  const { name } = target
  const surplus = await session.step(`Look for kept copies of ${name}`, async () => {
    const copies = keptCopies(name, await readDatabases(server, name))
    const newest = copies.find(({ kind }) => kind !== 'failed')
    return copies.filter((copy) => copy !== newest && copy.facts.mark.reset !== 'unfinished')
  })
  if (surplus.length === 0) {
    session.note(`there are no kept copies of ${name} beyond the newest one`)
    return
  }
  session.note(['these will be dropped:', ...describeCopies(surplus)].join('\n'))
  for (const { facts } of surplus) checkEnvironment(server, target, session.flags, facts)
  const proof = await session.confirm(
    name,
    `This drops ${surplus.length} copies of ${name} on ${server.name}.`,
  )
  for (const { facts } of surplus) {
    await session.step(`Drop ${facts.name}`, () => dropDatabase(server, facts.name, proof, name))
  }
}

await runIfMain(import.meta, task)

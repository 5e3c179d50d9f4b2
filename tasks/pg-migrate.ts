/**
 * Brings the schema of a database up to date by the app's migrate command, where the app runs.
 * Safe to run again: with nothing pending it changes nothing.
 *
 *   npx tsx tasks/pg-migrate.ts --database weltenwind --dry-run
 *   npx tsx tasks/pg-migrate.ts --database weltenwind
 *   npx tsx tasks/pg-migrate.ts --database shop --confirm shop   # production
 */
import { readEnvFile } from '../lib/app/env-file.ts'
import { runInApp } from '../lib/app/run.ts'
import { findPrimaryAgain, type Primary } from '../lib/postgres/cluster.ts'
import { lookBefore, type Prospect } from '../lib/postgres/migrate/look.ts'
import { commandPreflight } from '../lib/postgres/migrate/preflight.ts'
import { findRoute } from '../lib/postgres/migrate/probe.ts'
import { endpointsOf, refuseRoute } from '../lib/postgres/migrate/route.ts'
import {
  describeProgress,
  proveMigrated,
  readAfter,
  refuseState,
  waysOut,
} from '../lib/postgres/migrate/state.ts'
import { type DatabaseFlags, databaseFlags, type DatabaseTarget } from '../lib/postgres/target.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

export const task = defineTask({
  name: 'pg-migrate',
  summary: "Run the app's pending migrations on a database",
  details:
    'Refuses while a migration has failed, and says how that is resolved; refuses to go through a pooler. ' +
    'With nothing pending it changes nothing. Safe to run again.',
  examples: [
    'npx tsx tasks/pg-migrate.ts --database weltenwind --dry-run',
    'npx tsx tasks/pg-migrate.ts --database weltenwind',
  ],
  flags: databaseFlags,
  preflight: ({ estate, flags: given }) => commandPreflight(estate, given, 'migrate'),
  async run(session) {
    const { target, primary, shell, state } = await lookBefore(session)
    const { name, app } = target
    refuseState(state, name, shell, resetCommand(session, target))
    if (state.pending?.length === 0) {
      session.note(`nothing is pending in ${name}`)
      return
    }
    await session.step('Look which way the migrations take', (step) =>
      checkRoute(session, step, target, primary),
    )
    const migrate = app?.entry.migrate ?? ''
    try {
      await session.step(`Migrate: ${migrate}`, (step) => runInApp(session, step, shell, migrate))
      await session.prove(`Prove that ${name} is up to date`, async (step) => {
        step.detail = await proveMigrated(primary.server, target, state)
      })
    } catch (error) {
      await explainFailure(session, { target, shell, state }, error)
    }
  },
})

async function checkRoute(
  session: Session<DatabaseFlags>,
  step: { title: string },
  target: DatabaseTarget,
  { server, endpoints: further }: Primary,
): Promise<void> {
  const entry = target.app?.entry
  const settings = entry && (await readEnvFile(session.hosts, entry))
  const endpoints = [...endpointsOf(session.estate, target), ...further]
  const route = entry && (await findRoute(session.hosts, entry, settings ?? {}, endpoints))
  if (!route) {
    step.title = 'Which way the migrations take is not known'
    session.warn(
      `no DIRECT_URL or DATABASE_URL in the app's envFile (${entry?.envFile ?? 'none in the inventory'}): it is not known whether a pooler stands in between`,
    )
    return
  }
  refuseRoute(route, server.name, target, endpoints)
  const to = `${route.host}:${route.port}`
  step.title = `The migrations go to ${to}, by ${route.variable}`
  if (route.server !== undefined) return
  session.warn(
    `${to} is no server of ${target.cluster} by the inventory, and did not answer as pgbouncer; if a pooler, migrations need a way past it`,
  )
}

/** Nothing is taken back: what was applied stays applied, and the operator hears how far that is. */
async function explainFailure(
  session: Session<DatabaseFlags>,
  { target, shell, state }: Pick<Prospect, 'target' | 'shell' | 'state'>,
  error: unknown,
): Promise<never> {
  return session.recover(error, {
    title: `Look how far it came in ${target.name}`,
    next: session.command('pg-status', ['--cluster', target.cluster]),
    work: async (step) => {
      const { server } = await findPrimaryAgain(session, target.cluster)
      const after = await readAfter(server, target.name)
      step.detail = describeProgress(state, after)
      // What is at work still may yet end well, and nothing may be resolved under it.
      if (after.failed.length === 0 || after.running.length > 0)
        return `${target.name} so far: ${step.detail}`
      return `${target.name} so far: ${step.detail}\n${waysOut(after.failed, shell, resetCommand(session, target))}`
    },
  })
}

/** Where data may be lost. */
function resetCommand(session: Session<DatabaseFlags>, { database }: DatabaseTarget): string | undefined {
  if (database.environment === 'production') return undefined
  return session.command('pg-reset', ['--database', session.flags.database])
}

await runIfMain(import.meta, task)

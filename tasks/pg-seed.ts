/**
 * Fills a database by the app's seed command, where the app runs, and shows the rows before and after.
 * As safe to run again as that command is.
 *
 *   npx tsx tasks/pg-seed.ts --database weltenwind --dry-run
 *   npx tsx tasks/pg-seed.ts --database weltenwind
 *   npx tsx tasks/pg-seed.ts --database shop --confirm shop   # production
 */
import { runInApp } from '../lib/app/run.ts'
import { findPrimaryAgain } from '../lib/postgres/cluster.ts'
import { lookBefore } from '../lib/postgres/migrate/look.ts'
import { commandPreflight } from '../lib/postgres/migrate/preflight.ts'
import { describeRunning } from '../lib/postgres/migrate/state.ts'
import { countRows, describeCounts, refuseEmpty, refuseUnreadable } from '../lib/postgres/rows.ts'
import { databaseFlags } from '../lib/postgres/target.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

export const task = defineTask({
  name: 'pg-seed',
  summary: "Fill a database by the app's seed command",
  details:
    'Shows the rows of each table before and after. Takes nothing back when the command fails half-way. ' +
    "As safe to run again as the app's command is.",
  examples: [
    'npx tsx tasks/pg-seed.ts --database weltenwind --dry-run',
    'npx tsx tasks/pg-seed.ts --database weltenwind',
  ],
  flags: databaseFlags,
  preflight: ({ estate, flags: given }) => commandPreflight(estate, given, 'seed'),
  async run(session) {
    const { target, primary, shell, state } = await lookBefore(session)
    const { name, app } = target
    for (const busy of describeRunning(state.running)) session.warn(`${name}: ${busy}`)
    if (state.failed.length > 0 || (state.pending ?? []).length > 0) {
      session.warn(`the schema of ${name} is not what the app expects; the seed may fail on it`)
    }
    const before = await session.step(`Count the rows of ${name}`, () => countRows(primary.server, name))
    refuseUnreadable(name, target.database.owner, before)
    const seed = app?.entry.seed ?? ''
    try {
      await session.step(`Seed: ${seed}`, (step) => runInApp(session, step, shell, seed))
      await session.prove(`Count the rows of ${name} again`, async () => {
        const after = await countRows(primary.server, name)
        refuseEmpty(name, after)
        session.show(
          'row-counts',
          { database: name, before, after },
          describeCounts(before, after).join('\n'),
        )
      })
    } catch (error) {
      await session.recover(error, {
        title: `Look how far it came in ${name}`,
        next: session.command('pg-status', ['--cluster', target.cluster]),
        work: async () => {
          const { server } = await findPrimaryAgain(session, target.cluster)
          const after = await countRows(server, name)
          return `rows of ${name}, before and now; nothing was taken back:\n${describeCounts(before, after).join('\n')}`
        },
      })
    }
  },
})

await runIfMain(import.meta, task)

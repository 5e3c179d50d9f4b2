import { setTimeout as wait } from 'node:timers/promises'

import { TaskError } from '../task/errors.ts'
import { withConsole } from './console.ts'
import { databasesFile, databasesText, type Route } from './ini.ts'
import { wrongRoutes } from './load.ts'
import { type Pooler, reloadPooler } from './pooler.ts'

/** Milliseconds. */
const patience = 10_000

/**
 * Sends a pooler's clients to another server, at their next transaction: paused or not, none is dropped.
 * Running it again changes nothing.
 *
 * @param routes from `routesOf`, with the machine that is the primary now
 * @throws TaskError when pg-pooler has never been here, or pgbouncer goes on to the old one
 */
export async function pointPooler(pooler: Pooler, routes: Route[], dryRun: boolean): Promise<void> {
  const path = `${pooler.directory}/${databasesFile}`
  if ((await pooler.files.readFile(path)) === undefined) {
    throw new TaskError(`${pooler.name} is not set up by pg-pooler, so its databases are not ours to move`, {
      next: 'npx tsx tasks/pg-pooler.ts --cluster NAME',
    })
  }
  await pooler.files.write(path, databasesText(routes))
  await withConsole(pooler, async (ask) => {
    if (wrongRoutes(await ask('show databases'), routes).length === 0) return
    await reloadPooler(pooler)
    if (dryRun) return
    const deadline = Date.now() + patience
    for (;;) {
      const wrong = wrongRoutes(await ask('show databases'), routes)
      if (wrong.length === 0) return
      if (Date.now() > deadline) {
        throw new TaskError(
          `${pooler.name} still has ${wrong.map(({ name }) => name).join(', ')} elsewhere`,
          {
            next: 'look into its log',
          },
        )
      }
      await wait(50)
    }
  })
}

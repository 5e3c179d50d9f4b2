import { setTimeout as wait } from 'node:timers/promises'

import { TaskError } from '../task/errors.ts'
import { withConsole } from './console.ts'
import { databasesFile, databasesText, type Route } from './ini.ts'
import { wrongRoutes } from './load.ts'
import { type Pooler, reloadPooler } from './pooler.ts'

/** Milliseconds. */
const patience = 10_000

/** Where its databases are is ours to say, because pg-pooler has been there. */
export async function isOurs(pooler: Pooler): Promise<boolean> {
  return (await pooler.files.readFile(`${pooler.directory}/${databasesFile}`)) !== undefined
}

/** Writes down where its databases are; it reads that when it is reloaded or started. */
export async function writeRoutes(pooler: Pooler, routes: Route[]): Promise<void> {
  await pooler.files.write(`${pooler.directory}/${databasesFile}`, databasesText(routes))
}

/**
 * Sends a pooler's clients to another server, at their next transaction: none is dropped. One that does not run
 * finds it when it starts. Running it again changes nothing.
 *
 * @param routes from `routesOf`, with the machine that is the primary now
 * @throws TaskError when pgbouncer goes on to the old one
 */
export async function pointPooler(pooler: Pooler, routes: Route[], dryRun: boolean): Promise<void> {
  await writeRoutes(pooler, routes)
  if (!(await pooler.isRunning())) return
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
          `${pooler.name} still has ${wrong.map(({ name }) => name).join(', ')} elsewhere after a reload`,
          { next: 'look into its log: it takes no file with an error in it' },
        )
      }
      await wait(50)
    }
  })
}

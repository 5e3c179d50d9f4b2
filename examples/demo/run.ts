/**
 * `npm run demo`: two hosts and a PostgreSQL cluster on loopback, a database with an old schema, and
 * pg-reset on it. Nothing outside of a temporary folder is touched, and nothing is left.
 */
import { fileURLToPath } from 'node:url'

import { type DemoEstate, startEstate } from './estate.ts'
import { addSite } from './site.ts'
import { Stage, Stopped } from './stage.ts'
import { describeTables } from './tables.ts'

const name = 'weltenwind'
const stage = new Stage(fileURLToPath(new URL('../..', import.meta.url)))
let estate: DemoEstate | undefined
try {
  const start = performance.now()
  estate = await startEstate()
  const site = await addSite(estate, name, estate.folder)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  stage.check()
  say(`Started in ${seconds} s, on 127.0.0.1 only, in ${estate.folder} and ${estate.cluster.folder}:`)
  say(`  db-1    sshd on port ${estate.dbHost.port}, the way to PostgreSQL 18 on port ${estate.cluster.port}`)
  say(`  app-1   sshd on port ${estate.appHost.port}, with a small app in ${site.app}`)
  say(`\n${name} is old; the app's migrations and its seed fail on it:`)
  say(...(await describeTables(estate.cluster, name)))

  const reset = ['tasks/pg-reset.ts', '--inventory', site.inventory, '--database', name]
  await stage.runTask([...reset, '--dry-run'], estate.env)
  await stage.runTask([...reset, '--yes'], estate.env)
  say(`\n${name} now:`)
  say(...(await describeTables(estate.cluster, name)))
} catch (error) {
  const stopped = stage.stopped ?? (error instanceof Stopped ? error : undefined)
  process.stderr.write(
    `\ndemo: ${stopped?.message ?? (error instanceof Error ? error.stack : String(error))}\n`,
  )
  process.exitCode = stopped?.code ?? 1
} finally {
  await estate?.close()
  stage.end()
}

function say(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`)
}

import { connectDriver } from '../postgres/driver-server.ts'
import { TaskError } from '../task/errors.ts'
import { userFile } from './ini.ts'
import type { Pooler } from './pooler.ts'
import { readUsers } from './userlist.ts'

/**
 * Whom pgbouncer lets ask `SHOW …`, and nothing else (`stats_users`): to look needs a login, and to act needs
 * none, because acts are signals. The password is made on the machine's first pg-pooler and stands nowhere
 * but in its userlist.txt.
 */
export const watcher = 'hausmeister'

export type Row = Record<string, unknown>

export type Ask = (question: string) => Promise<Row[]>

/**
 * Looks into pgbouncer, by its console.
 * @throws TaskError when pg-pooler has never set it up; PostgresError with pgbouncer's own words
 */
export async function withConsole<T>(pooler: Pooler, look: (ask: Ask) => Promise<T>): Promise<T> {
  const password = await watcherPassword(pooler)
  if (password === undefined) {
    throw new TaskError(`${pooler.name} lets nobody look into it yet`, {
      next: 'npx tsx tasks/pg-pooler.ts --cluster NAME',
    })
  }
  const { address, port } = await pooler.listens()
  const stream = await pooler.files.dial(address, port)
  const url = new URL(`postgres://${watcher}@login/pgbouncer`)
  url.password = encodeURIComponent(password)
  const client = await connectDriver(pooler.name, url, stream, 'hausmeister')
  try {
    return await look(async (question) => (await client.query<Row>(question)).rows)
  } finally {
    await client.end()
  }
}

export async function watcherPassword(pooler: Pooler): Promise<string | undefined> {
  const text = await pooler.files.readFile(`${pooler.directory}/${userFile}`)
  return readUsers(text ?? '').find(({ name }) => name === watcher)?.password
}

/** Its version and what each pool is at, for the operator. */
export function describePools(pooler: Pooler): Promise<string> {
  return withConsole(pooler, async (ask) => {
    const [version] = await ask('show version')
    const pools = (await ask('show pools')).filter(({ database }) => database !== 'pgbouncer')
    const lines = pools.map(
      (pool) =>
        `  ${String(pool['database'])} as ${String(pool['user'])}: ${String(pool['cl_active'])} clients active, ` +
        `${String(pool['cl_waiting'])} waiting; ${String(pool['sv_active'])} servers active, ${String(pool['sv_idle'])} idle`,
    )
    return [
      `${pooler.name}: ${String(version?.['version'])}, ${pools.length} ${pools.length === 1 ? 'pool' : 'pools'}`,
      ...lines,
    ].join('\n')
  })
}

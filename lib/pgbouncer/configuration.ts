import { randomBytes } from 'node:crypto'

import { TaskError } from '../task/errors.ts'
import { watcher } from './console.ts'
import {
  databasesFile,
  databasesText,
  folder,
  iniFile,
  ownSettings,
  type Route,
  type Settings,
  settingsFile,
  settingsText,
  userFile,
  withIncludes,
  withItem,
} from './ini.ts'
import { type Pooler, reloadPooler } from './pooler.ts'
import { readUsers, type User, withUsers } from './userlist.ts'

/** pgbouncer 1.21 was the first that keeps prepared statements in transaction mode. */
const firstWithPrepared = [1, 21] as const

/** Twice what Prisma's engine keeps for one connection by default. */
const preparedStatements = 200

/** How long a server may be silent before it is taken for dead; pg-promote needs longer. Milliseconds. */
const serverPatience = 15_000

/** What its files say; undefined where there is none. */
export type Files = Record<string, string | undefined>

export interface Configuration {
  files: Record<string, string>
  settings: Settings
  routes: Route[]
}

export async function readFiles(pooler: Pooler): Promise<Files> {
  const names = [iniFile, userFile, settingsFile, databasesFile]
  const read = names.map(async (name): Promise<[string, string | undefined]> => [
    name,
    await pooler.files.readFile(`${pooler.directory}/${name}`),
  ])
  return Object.fromEntries(await Promise.all(read))
}

export interface Facts {
  version: string | undefined
  routes: Route[]
  users: User[]
  /** On which addresses of its machine it is wanted; in a container that is the container's matter. */
  addresses: string[]
}

/**
 * The files as they should be, with everything in them that somebody else has written.
 * @throws TaskError when the users of somebody else are kept in another file, which would be out of use then
 */
export function configure(pooler: Pooler, before: Files, facts: Facts): Configuration {
  const { entry } = pooler
  const ini = before[iniFile] ?? ''
  const users = before[userFile] ?? ''
  const own = ownSettings(ini)
  const file = `${folder}/${userFile}`
  if (own['auth_file'] !== undefined && own['auth_file'] !== file) {
    throw new TaskError(
      `${pooler.name} has its users in ${own['auth_file']}, and hausmeister keeps them in ${file}`,
      {
        next: `move them there, and set auth_file = ${file} in ${iniFile}; nothing was changed`,
      },
    )
  }
  const settings: Settings = {
    listen_addr: entry.runtime === 'compose' ? (own['listen_addr'] ?? '*') : facts.addresses.join(', '),
    listen_port: String(entry.port),
    auth_type: 'scram-sha-256',
    auth_file: file,
    stats_users: withItem(own['stats_users'], watcher),
    pool_mode: entry.mode,
    default_pool_size: String(entry.poolSize),
    max_client_conn: String(entry.maxClients),
    ...(hasPrepared(facts.version) ? { max_prepared_statements: String(preparedStatements) } : {}),
    // Its own 15 s make an outage of a moment one of 15 s: it answers everybody with the first refusal.
    server_login_retry: '1',
    // A client whose server lost its power in the middle of a query would wait for a quarter of an hour (Linux's
    // tcp_retries2), also when another server has long been promoted.
    tcp_user_timeout: String(serverPatience),
    tcp_keepidle: String(serverPatience / 1000),
    tcp_keepintvl: '5',
    // The JDBC driver and some others send it, and pgbouncer refuses what it does not know.
    ignore_startup_parameters: withItem(own['ignore_startup_parameters'], 'extra_float_digits'),
  }
  const password =
    readUsers(users).find(({ name }) => name === watcher)?.password ?? randomBytes(24).toString('base64url')
  return {
    settings,
    routes: facts.routes,
    files: {
      [userFile]: withUsers(users, [...facts.users, { name: watcher, password }]),
      [databasesFile]: databasesText(facts.routes),
      [settingsFile]: settingsText(settings),
      // Last: it names the others.
      [iniFile]: withIncludes(ini),
    },
  }
}

function hasPrepared(version: string | undefined): boolean {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  const [firstMajor, firstMinor] = firstWithPrepared
  return major > firstMajor || (major === firstMajor && minor >= firstMinor)
}

export async function writeFiles(pooler: Pooler, before: Files, { files }: Configuration): Promise<void> {
  // A new file belongs to whom pgbouncer runs as; one that is there keeps its owner and its mode.
  const owner = Object.keys(files).every((name) => before[name] !== undefined)
    ? undefined
    : await pooler.owner()
  for (const [name, text] of Object.entries(files)) {
    const isNew = before[name] === undefined
    const mode = name === userFile ? 0o600 : 0o644
    await pooler.files.write(`${pooler.directory}/${name}`, text, {
      secret: name === userFile,
      ...(isNew ? { mode, ...(owner ? { owner } : {}) } : {}),
    })
  }
}

/** Every file as it was before; those that were not there go. pgbouncer takes them again if it was running. */
export async function putFilesBack(pooler: Pooler, before: Files, wasRunning: boolean): Promise<void> {
  for (const [name, text] of Object.entries(before).toReversed()) {
    const path = `${pooler.directory}/${name}`
    if (text !== undefined) await pooler.files.write(path, text, { secret: name === userFile })
    else await pooler.files.change`rm -f -- ${path}`
  }
  if (!wasRunning) return
  if (await pooler.isRunning()) await reloadPooler(pooler)
  else await pooler.start()
}

export function isSame(before: Files, { files }: Configuration): boolean {
  return Object.entries(files).every(([name, text]) => before[name] === text)
}

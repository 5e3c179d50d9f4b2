import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { execa } from 'execa'
import { Client } from 'pg'

import { type Account, serverAccount } from './account.ts'
import { type Binaries, findBinaries } from './binaries.ts'

/** A PostgreSQL server of our own on loopback, empty, with its data in a temporary folder. */
export interface Cluster {
  readonly port: number
  /** As its superuser, to the database postgres. */
  readonly url: string
  /** Where its data is. */
  readonly folder: string
  connect(database?: string): Promise<Client>
  /** Stops the server and removes its data. */
  stop(): Promise<void>
}

/**
 * Ends the server and removes its folder when its own input ends, which is when we are gone, however that
 * came to be. A shell gives its background commands no input, so the watch reads from a copy.
 */
const watch = `
folder=$1; shift
exec 3<&0
"$@" < /dev/null & server=$!
{ read -r _ <&3; kill -INT "$server"; } & reader=$!
wait "$server"
kill "$reader" 2> /dev/null
cd / && rm -rf -- "$folder"`

/** Nothing of it has to survive a power cut. */
const hasty = ['fsync=off', 'full_page_writes=off', 'wal_level=minimal', 'max_wal_senders=0']

const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C' }

export async function startCluster(): Promise<Cluster> {
  const account = await serverAccount()
  // The temporary folder of root may be closed to all others; /tmp never is.
  const parent = account.uid === undefined ? tmpdir() : '/tmp'
  const folder = await mkdtemp(join(parent, 'hausmeister-postgres-'))
  try {
    if (account.uid !== undefined && account.gid !== undefined) await chown(folder, account.uid, account.gid)
    const binaries = await findBinaries(account, folder)
    const password = randomBytes(24).toString('base64url')
    await initialise(binaries, account, folder, password)
    const port = await freePort()
    const server = await startServer(binaries, account, folder, port)
    return cluster(server, folder, port, password)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function initialise(
  { initdb }: Binaries,
  account: Account,
  folder: string,
  password: string,
): Promise<void> {
  const file = join(folder, 'password')
  await writeFile(file, `${password}\n`, { mode: 0o600 })
  if (account.uid !== undefined && account.gid !== undefined) await chown(file, account.uid, account.gid)
  const locale = ['--encoding=UTF8', '--no-locale', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const options = ['--auth=scram-sha-256', '--username=postgres', `--pwfile=${file}`, ...locale, '--no-sync']
  await execa(initdb, ['-D', join(folder, 'data'), ...options], {
    ...account,
    cwd: folder,
    env,
    extendEnv: false,
  })
  await rm(file)
}

async function startServer(
  { postgres }: Binaries,
  account: Account,
  folder: string,
  port: number,
): Promise<ChildProcess> {
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', ...hasty]
  const command = [postgres, '-D', join(folder, 'data'), ...settings.flatMap((setting) => ['-c', setting])]
  // A group of its own: a Ctrl-C in the terminal is for the task, which still needs its database then.
  const options = { ...account, cwd: folder, env, detached: true, stdio: 'pipe' } as const
  const child = spawn('/bin/bash', ['-c', watch, 'watch', folder, ...command], options)
  child.stdin.on('error', () => {})
  child.stdout.resume()
  let log = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-5000)
      if (log.includes('ready to accept connections')) resolve()
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${log}`)))
  })
  return child
}

function cluster(server: ChildProcess, folder: string, port: number, password: string): Cluster {
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  return {
    port,
    url,
    folder,
    connect: async (database = 'postgres') => {
      const client = new Client({
        connectionString: url.replace(/postgres$/, encodeURIComponent(database)),
        application_name: 'estate',
      })
      // It may be ended by the server, as a reset does with all sessions.
      client.on('error', () => {})
      await client.connect()
      return client
    },
    stop: async () => {
      if (server.exitCode === null && server.signalCode === null) {
        server.stdin?.end()
        await once(server, 'exit')
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Free at this moment; PostgreSQL cannot be told to take any. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  server.close()
  await once(server, 'close')
  if (typeof bound !== 'object' || !bound) throw new Error('no port could be taken on 127.0.0.1')
  return bound.port
}

import { setTimeout as pause } from 'node:timers/promises'

import * as z from 'zod'

import { errorBehind, HostError } from '../host/errors.ts'
import type { Run } from '../host/events.ts'
import type { Host } from '../host/host.ts'
import { TaskError } from '../task/errors.ts'
import { type DebianCluster, unitOf } from './debian.ts'
import { PsqlServer } from './psql-server.ts'
import { PostgresError, type Server } from './server.ts'
import { sql } from './sql.ts'

/** How long a server may take to read its files again, or to come up, in milliseconds. Recovery after a crash takes its time. */
const reloadPatience = 30_000
const startPatience = 120_000

/** One PostgreSQL server of a machine, as somebody who may change its files and restart it. */
export interface Instance {
  /** The machine's. */
  name: string
  /** As root. */
  host: Host
  cluster: DebianCluster
  server: Server
}

export function instanceOf(host: Host, cluster: DebianCluster): Instance {
  return { name: host.name, host, cluster, server: new PsqlServer(host, cluster.port) }
}

/**
 * Lets the server read its files again, and waits until it has.
 * @throws PostgresError when we cannot come in any more
 */
export async function reload({ host, cluster, server }: Instance, run: Run): Promise<void> {
  const before = run.dryRun ? 0 : await loadTime(server)
  // Not by SQL, which may be what is locked out.
  await host.change`pg_ctlcluster ${cluster.version} ${cluster.name} reload`
  if (run.dryRun) return
  const deadline = Date.now() + reloadPatience
  while ((await loadTime(server)) === before) {
    if (Date.now() > deadline) {
      throw new PostgresError(server.name, `did not read its files again in ${reloadPatience / 1000} s`)
    }
    await pause(50)
  }
}

/** A configuration file as it is on disk. */
export interface ConfFile {
  /** undefined: there is none */
  text: string | undefined
  /** Newer than what the server has read: a run may have been cut off in between. Not of one that is not running. */
  stale: boolean
}

export async function readConfFile({ host, server, cluster }: Instance, path: string): Promise<ConfFile> {
  const [{ stdout }, loaded] = await Promise.all([
    host.read`if [ -e ${path} ]; then stat -Lc %.Y -- ${path}; cat -- ${path}; fi`,
    cluster.running ? loadTime(server) : undefined,
  ])
  if (stdout === '') return { text: undefined, stale: false }
  const firstLine = stdout.indexOf('\n')
  const written = Number(stdout.slice(0, firstLine))
  return { text: stdout.slice(firstLine + 1), stale: loaded !== undefined && written > loaded }
}

async function loadTime(server: Server): Promise<number> {
  const [row] = await server.select(
    z.object({ time: z.number() }),
    sql`select extract(epoch from pg_conf_load_time())::float8 as time`,
  )
  return row?.time ?? 0
}

export async function start(instance: Instance, run: Run): Promise<void> {
  await instance.host.change`systemctl start ${unitOf(instance.cluster)}`
  await untilItAnswers(instance, run)
}

/** For one that takes writes: it comes up with the machine. One that runs as it is meant to be keeps its own word. */
export async function startAtBoot({ host, cluster }: Instance): Promise<void> {
  const file = `${cluster.folder}/start.conf`
  const text = cluster.running ? undefined : await host.readFile(file)
  if (text !== undefined) await host.write(file, text.replace(/^(manual|disabled)\s*$/m, 'auto\n'))
  const { stdout } = await host.read({ nothrow: true })`systemctl is-enabled postgresql.service`
  if (stdout.trim() === 'disabled') await host.change`systemctl --quiet enable postgresql.service`
}

/** Ends all its sessions. */
export async function restart(instance: Instance, run: Run): Promise<void> {
  await instance.host.change`systemctl restart ${unitOf(instance.cluster)}`
  await untilItAnswers(instance, run)
}

async function untilItAnswers({ server }: Instance, run: Run): Promise<void> {
  if (run.dryRun) return
  const deadline = Date.now() + startPatience
  for (;;) {
    try {
      await loadTime(server)
      return
    } catch (error) {
      if (!(error instanceof PostgresError) || Date.now() > deadline) throw error
      await pause(100)
    }
  }
}

/**
 * Has PostgreSQL itself read all its configuration files, also those of a server that is not running.
 * @returns what it finds wrong; undefined: nothing
 */
export async function confError({ host, cluster }: Instance): Promise<string | undefined> {
  const { version, folder } = cluster
  const output = await host.as('postgres').read({
    nothrow: true,
  })`cd /; /usr/lib/postgresql/${version}/bin/postgres -C port -c config_file=${folder}/postgresql.conf`
  if (output.exitCode === 0) return undefined
  const said = output.stderr.trim().split('\n')
  return said.map((line) => line.replace(/^.*? (LOG|FATAL): +/, '')).join('; ')
}

/** @throws TaskError when a file on disk has an error: it is not in force yet, and at a restart nothing comes up */
export async function checkConf(instance: Instance): Promise<void> {
  const wrong = await confError(instance)
  if (wrong === undefined) return
  throw new TaskError(
    `PostgreSQL on ${instance.name} would not come up with its files as they are: ${wrong}`,
    {
      next: 'correct that line; nothing of it is in force yet, and nothing was changed',
    },
  )
}

/** What it wrote last, for a server that does not come up. */
export async function lastWords({ host, cluster }: Instance): Promise<string> {
  const { version, name } = cluster
  const file = `/var/log/postgresql/postgresql-${version}-${name}.log`
  return (await host.read({ nothrow: true })`tail -n 12 -- ${file}`).stdout.trim()
}

/** @throws TaskError with its last words, when `act` does not bring it up */
export async function bringUp(instance: Instance, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (errorBehind(error, HostError)) throw error
    const { cluster, name } = instance
    throw new TaskError(`PostgreSQL ${cluster.version}/${cluster.name} on ${name} does not come up`, {
      seen: await lastWords(instance).catch(() => undefined),
      next: `journalctl -u ${unitOf(cluster)}`,
      cause: error,
    })
  }
}

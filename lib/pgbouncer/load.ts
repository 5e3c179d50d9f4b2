import { setTimeout as wait } from 'node:timers/promises'

import { HostError } from '../host/errors.ts'
import { PostgresError } from '../postgres/server.ts'
import { TaskError } from '../task/errors.ts'
import type { Configuration } from './configuration.ts'
import { type Ask, type Row, watcher, withConsole } from './console.ts'
import type { Route } from './ini.ts'
import { type Pooler, reloadPooler } from './pooler.ts'

/** Milliseconds. */
const patience = 15_000

/** What a running pgbouncer has otherwise than it should. */
export interface Difference {
  /** Settings and databases: `pool_mode is session`. */
  wrong: string[]
  /** All of them are settings that it takes at its start only. */
  needsRestart: boolean
  /** Clients that a restart would drop. */
  clients: number
}

/** @returns undefined when it cannot be asked: it is not up, or does not know us yet */
export async function compare(pooler: Pooler, wanted: Configuration): Promise<Difference | undefined> {
  try {
    return await withConsole(pooler, (ask) => differences(ask, wanted))
  } catch (error) {
    const isSilent = error instanceof HostError && error.failure === 'forward'
    if (isSilent || error instanceof PostgresError || error instanceof TaskError) return undefined
    throw error
  }
}

async function differences(ask: Ask, { settings, routes }: Configuration): Promise<Difference> {
  const config = await ask('show config')
  const databases = await ask('show databases')
  const clients = await ask('show clients')
  const wrongSettings = config.filter(({ key, value }) => {
    const setting = settings[String(key)]
    return setting !== undefined && setting !== value
  })
  const elsewhere = wrongRoutes(databases, routes)
  return {
    wrong: [
      ...wrongSettings.map(({ key, value }) => `${String(key)} is ${String(value)}`),
      ...elsewhere.map(({ name }) => `database ${name}`),
    ],
    needsRestart:
      wrongSettings.length > 0 &&
      elsewhere.length === 0 &&
      wrongSettings.every(({ changeable }) => changeable === 'no'),
    clients: clients.filter(({ user }) => user !== watcher).length,
  }
}

/** Those that pgbouncer has otherwise, or not at all. */
export function wrongRoutes(databases: Row[], routes: Route[]): Route[] {
  return routes.filter(({ name, host, port }) => {
    const found = databases.find((database) => database['name'] === name)
    return found?.['host'] !== host || Number(found['port']) !== port || found['database'] !== name
  })
}

/**
 * Brings pgbouncer to what its files say: starts it, reloads it, or, when nobody is connected and nothing else
 * helps, starts it anew.
 *
 * @param changed whether its files were written just now
 * @returns what was done
 * @throws TaskError with its own words when it does not take them
 */
export async function bringUp(
  pooler: Pooler,
  wanted: Configuration,
  { changed, dryRun }: { changed: boolean; dryRun: boolean },
): Promise<string> {
  if (!(await pooler.isRunning())) {
    await settle(pooler, wanted, dryRun, () => pooler.start())
    return 'started'
  }
  if (!(await pooler.isEnabled())) await pooler.start()
  const before = await compare(pooler, wanted)
  if (!changed && before?.wrong.length === 0) return 'has them already'
  const difference = await settle(pooler, wanted, dryRun, () => reloadPooler(pooler))
  if (!difference?.needsRestart) return 'reloaded'
  const { wrong, clients } = difference
  if (clients > 0) {
    throw new TaskError(
      `${pooler.name} takes this at its start only, and ${clients} clients are connected: ${wrong.join(', ')}`,
      {
        next: 'restart it yourself when its clients can do without it for a second, or set the inventory to this',
      },
    )
  }
  await settle(pooler, wanted, dryRun, () => pooler.restart())
  return 'started anew'
}

/** Waits until it has what its files say, or only a restart can give it that. */
async function settle(
  pooler: Pooler,
  wanted: Configuration,
  dryRun: boolean,
  begin: () => Promise<void>,
): Promise<Difference | undefined> {
  const since = await now(pooler)
  try {
    await begin()
  } catch (error) {
    throw refused(pooler, await pooler.log(since), error)
  }
  if (dryRun) return undefined
  const deadline = Date.now() + patience
  for (;;) {
    const difference = await compare(pooler, wanted)
    const log = await pooler.log(since)
    if (/config file loading failed|cannot load config file|\bFATAL\b/.test(log)) throw refused(pooler, log)
    // Before it has read them, it may agree by what it had already.
    const hasRead = /re-reading config|process up/.test(log)
    if (hasRead && difference && (difference.wrong.length === 0 || difference.needsRestart)) return difference
    if (Date.now() > deadline) {
      const state = difference
        ? `it has not taken them: ${difference.wrong.join(', ')}`
        : 'it does not answer'
      throw new TaskError(`${pooler.name} got new settings, and ${state}`, { seen: lastLines(log) })
    }
    await wait(100)
  }
}

async function now(pooler: Pooler): Promise<number> {
  return Number(await pooler.control.read`date +%s.%N`.text())
}

function refused(pooler: Pooler, log: string, cause?: unknown): TaskError {
  return new TaskError(`${pooler.name} does not take its configuration`, { seen: lastLines(log), cause })
}

/** Its complaints, without the comings and goings of its clients and servers. */
export function lastLines(log: string): string {
  return log
    .split('\n')
    .filter((line) => line.trim() !== '' && !/\b[CS]-0x[0-9a-f]+:|systemd|pgbouncer\.service/.test(line))
    .slice(-4)
    .join('\n')
}

import * as z from 'zod'

import type { AppShell } from '../../app/app.ts'
import { listMigrations } from '../../app/migrations.ts'
import { TaskError } from '../../task/errors.ts'
import { duration } from '../../task/text.ts'
import { failedMigrations, type Migration, pendingMigrations, readMigrations } from '../migrations.ts'
import type { Server } from '../server.ts'
import { literal, sql } from '../sql.ts'
import type { DatabaseTarget } from '../target.ts'

/**
 * The key of the advisory lock that Prisma's schema engine holds while it migrates
 * (`SELECT pg_advisory_lock(72707369)`).
 */
const prismaLock = 72_707_369

/** A session that migrates at this moment. */
const Running = z.object({ pid: z.number(), address: z.string(), seconds: z.number() })
export type Running = z.infer<typeof Running>

/** Where a database stands with its migrations. */
export interface MigrationState {
  /** undefined: there is no table of Prisma's. */
  migrations: Migration[] | undefined
  failed: Migration[]
  /** undefined: the inventory names no folder of migrations. */
  pending: string[] | undefined
  running: Running[]
}

/** @throws TaskError when the app has no folder where the inventory says that it has one */
export async function readMigrationState(
  server: Server,
  { name, app }: DatabaseTarget,
  shell: AppShell,
): Promise<MigrationState> {
  const folder = app?.entry.migrations
  const [migrations, names, running] = await Promise.all([
    readMigrations(server, name),
    folder === undefined ? undefined : listMigrations(shell, folder),
    readRunning(server, name),
  ])
  if (folder !== undefined && names === undefined) {
    throw new TaskError(`${shell.place} has no folder ${folder}, which the inventory names as its migrations`)
  }
  return {
    migrations,
    failed: failedMigrations(migrations ?? []),
    pending: names && pendingMigrations(names, migrations ?? []),
    running,
  }
}

export function readRunning(server: Server, database: string): Promise<Running[]> {
  return server.select(
    Running,
    sql`select pid, coalesce(host(client_addr), 'local') as address,
        extract(epoch from clock_timestamp() - coalesce(query_start, backend_start))::int as seconds
      from pg_locks l join pg_stat_activity a using (pid)
      where l.locktype = 'advisory' and l.granted and l.classid = 0 and l.objid = ${prismaLock}
        and a.datname = ${literal(database)}`,
  )
}

export function describeState({ migrations, failed, pending }: MigrationState): string[] {
  const applied = migrations?.filter(({ state }) => state === 'applied').length ?? 0
  return [
    `Prisma migrations: ${applied} applied, ${failed.length} failed`,
    ...(pending ? [`pending: ${pending.length}`, ...pending.map((name) => `  ${name}`)] : []),
  ]
}

export function describeRunning(running: Running[]): string[] {
  return running.map(
    ({ pid, address, seconds }) =>
      `a migration is still at work from ${address} (pid ${pid}, for ${duration(seconds * 1000)})`,
  )
}

/**
 * What can be done about a failed migration: Prisma applies no other one until it is resolved (P3009).
 * @param reset the command that makes the database anew; undefined where that is no way out
 */
export function waysOut(failed: Migration[], shell: AppShell, reset: string | undefined): string {
  const names = failed.map(({ name }) => name)
  const resolve = (how: string) =>
    names.map((name) => `  ${shell.byHand(`npx prisma migrate resolve --${how} ${name}`)}`)
  return [
    'nothing of it is in the database, or you have taken it back; it will be tried again:',
    ...resolve('rolled-back'),
    'all of it is in the database, or you have brought in the rest:',
    ...resolve('applied'),
    ...(reset === undefined ? [] : ['its data may go:', `  ${reset}`]),
  ].join('\n')
}

/** @throws TaskError when one has failed, or one is at work */
export function refuseState(
  { failed, running }: MigrationState,
  name: string,
  shell: AppShell,
  reset: string | undefined,
): void {
  const [busy] = describeRunning(running)
  if (busy !== undefined) {
    throw new TaskError(`${name}: ${busy}`, {
      next: `wait until it has ended; if its client is gone: select pg_terminate_backend(${running[0]?.pid})`,
    })
  }
  const [first] = failed
  if (!first) return
  throw new TaskError(
    `a migration of ${name} has failed, and Prisma applies none until that is resolved (P3009): ${failed.map((one) => one.name).join(', ')}`,
    {
      seen: first.log ?? 'the database noted no reason: its client was ended',
      next: waysOut(failed, shell, reset),
    },
  )
}

/** How far a run came that did not end well. */
export function describeProgress(before: MigrationState, after: Omit<MigrationState, 'pending'>): string {
  const were = new Set(before.migrations?.flatMap(({ name, state }) => (state === 'applied' ? [name] : [])))
  const done = (after.migrations ?? []).filter(({ name, state }) => state === 'applied' && !were.has(name))
  const names = done.map(({ name }) => name)
  return [
    names.length === 0 ? 'no migration was applied' : `applied: ${names.join(', ')}`,
    ...after.failed.map(({ name, log }) => {
      return log === null ? `begun and not ended: ${name}` : `failed: ${name}`
    }),
    ...describeRunning(after.running),
  ].join('; ')
}

export async function readAfter(server: Server, name: string): Promise<Omit<MigrationState, 'pending'>> {
  const [migrations, running] = await Promise.all([readMigrations(server, name), readRunning(server, name)])
  return { migrations, failed: failedMigrations(migrations ?? []), running }
}

/**
 * Reads Prisma's table after the command has ended well.
 * @returns what was seen, in a few words
 */
export async function proveMigrated(
  server: Server,
  { name, app }: DatabaseTarget,
  before: MigrationState,
): Promise<string> {
  const { migrations, failed } = await readAfter(server, name)
  if (failed.length > 0) {
    throw new TaskError(`failed migrations in ${name}: ${failed.map((one) => one.name).join(', ')}`, {
      seen: failed[0]?.log ?? undefined,
    })
  }
  if (!before.pending) return 'which migrations there are is not known: the inventory names no folder'
  const left = pendingMigrations(before.pending, migrations ?? [])
  if (left.length > 0) {
    throw new TaskError(
      `the command ended well, and these are pending in ${name} still: ${left.join(', ')}`,
      {
        next: `check that the migrate command of app ${app?.name} works on ${name}, and on no other database`,
      },
    )
  }
  return `${before.pending.length} applied, none is pending`
}

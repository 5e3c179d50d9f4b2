import { setTimeout as pause } from 'node:timers/promises'

import * as z from 'zod'

import type { Proof } from '../task/confirm.ts'
import { assertProof } from '../task/confirm.ts'
import { type DatabaseFacts, readDatabases } from './catalog.ts'
import { type Mark, writeMark } from './mark.ts'
import { PostgresError, type Server, transaction } from './server.ts'
import { applySettings, type DatabaseSettings } from './settings.ts'
import { identifier, literal, sql, type Sql } from './sql.ts'

/** How long sessions may take to end after they were told to, in milliseconds. */
const sessionPatience = 30_000

/** How long transactions may go on while new ones wait, in milliseconds. */
const transactionPatience = 5000

/** Nobody can connect any more, not even a superuser; those who are connected stay. */
export async function closeDoor(server: Server, database: DatabaseFacts, mark: Mark): Promise<void> {
  await server.change(
    transaction([
      sql`alter database ${identifier(database.name)} with allow_connections false`,
      writeMark(database.name, database.words, mark),
    ]),
  )
}

export async function openDoor(server: Server, database: DatabaseFacts, mark: Mark): Promise<void> {
  await server.change(
    transaction([
      sql`alter database ${identifier(database.name)} with allow_connections true`,
      writeMark(database.name, database.words, mark),
    ]),
  )
}

/**
 * Waits until nobody is in the middle of a transaction: for a database whose pooler is paused, so that no new ones
 * begin. Those that take longer are left to {@link endSessions}.
 */
export async function letTransactionsEnd(server: Server, database: string): Promise<void> {
  const deadline = Date.now() + transactionPatience
  for (;;) {
    const busy = await server.select(
      z.object({ pid: z.number() }),
      sql`select pid from pg_stat_activity
        where datname = ${literal(database)} and backend_type = 'client backend' and state <> 'idle'
          and pid <> pg_backend_pid() and application_name is distinct from 'hausmeister'`,
    )
    if (busy.length === 0 || Date.now() > deadline) return
    await pause(100)
  }
}

/**
 * Ends all sessions of a database whose door is closed, and waits until they are gone.
 * @throws PostgresError that names those that stay
 */
export async function endSessions(server: Server, database: string, dryRun: boolean): Promise<void> {
  const others = sql`datname = ${literal(database)} and pid <> pg_backend_pid()`
  const deadline = Date.now() + sessionPatience
  for (let told = false; ;) {
    const left = await server.select(
      z.object({ pid: z.number(), application: z.string().nullable() }),
      sql`select pid, application_name as application from pg_stat_activity where ${others}`,
    )
    if (left.length === 0) return
    if (!told)
      await server.change([
        sql`select count(pg_terminate_backend(pid)) from pg_stat_activity where ${others}`,
      ])
    told = true
    if (dryRun) return
    if (Date.now() > deadline) {
      const names = left.map(({ pid, application }) => `${application || 'no name'} (pid ${pid})`).join(', ')
      throw new PostgresError(
        server.name,
        `sessions of ${database} did not end in ${sessionPatience / 1000} s: ${names}`,
      )
    }
    await pause(100)
  }
}

/** Gives databases other names and marks, all in one step. Nobody may be connected to them. */
export async function renameDatabases(
  server: Server,
  moves: { from: DatabaseFacts; to: string; mark: Mark; open: boolean }[],
): Promise<void> {
  await server.change(
    transaction(
      moves.flatMap(({ from, to, mark, open }) => [
        sql`alter database ${identifier(from.name)} rename to ${identifier(to)}`,
        open
          ? sql`alter database ${identifier(to)} with allow_connections true`
          : sql`alter database ${identifier(to)} with allow_connections false`,
        writeMark(to, from.words, mark),
      ]),
    ),
  )
}

/** An empty database with everything that the old one has outside of its tables. */
export async function createLike(
  server: Server,
  name: string,
  old: DatabaseFacts,
  settings: DatabaseSettings,
  template1: DatabaseFacts | undefined,
  mark: Mark,
): Promise<void> {
  await server.change([
    sql`create database ${identifier(name)} ${likeness(old, template1)}`,
    ...transaction([...applySettings(name, old.owner, settings), writeMark(name, old.words, mark)]),
  ])
}

export async function markDatabase(server: Server, database: DatabaseFacts, mark: Mark): Promise<void> {
  await server.change([writeMark(database.name, database.words, mark)])
}

const likeKeys = [
  'owner',
  'encoding',
  'provider',
  'collate',
  'ctype',
  'locale',
  'icuRules',
  'connectionLimit',
] as const

/** @throws PostgresError when there is no database of that name with these properties */
export async function proveDatabase(server: Server, wanted: DatabaseFacts): Promise<void> {
  const found = (await readDatabases(server)).find(({ name }) => name === wanted.name)
  if (!found) throw new PostgresError(server.name, `there is no ${wanted.name}`)
  for (const key of likeKeys) {
    if (found[key] !== wanted[key]) {
      throw new PostgresError(
        server.name,
        `${key} of ${wanted.name} is ${found[key]}, and should be ${wanted[key]}`,
      )
    }
  }
}

/** @param proof the operator's word for losing it: `proof` must name `of` */
export async function dropDatabase(server: Server, name: string, proof: Proof, of: string): Promise<void> {
  assertProof(proof, of)
  await server.change([sql`drop database ${identifier(name)}`])
}

/**
 * A shadow database holds nothing of its own: Prisma fills and empties it at will.
 * @param proof the operator's word for losing the database `of`: itself, or the one whose shadow it is
 */
export async function recreateShadow(
  server: Server,
  shadow: DatabaseFacts | undefined,
  create: { name: string; owner: string; like: DatabaseFacts },
  proof: Proof,
  of: string,
): Promise<void> {
  assertProof(proof, of)
  const { words, mark } = shadow ?? { words: '', mark: {} }
  await server.change([
    ...(shadow ? [sql`drop database ${identifier(shadow.name)} with (force)`] : []),
    sql`create database ${identifier(create.name)} ${likeness({ ...create.like, owner: create.owner, connectionLimit: -1 }, undefined)}`,
    writeMark(create.name, words, mark),
  ])
}

/**
 * template1, as CREATE DATABASE takes by default, because a site may have put extensions there;
 * but only template0 can be copied with another encoding or locale.
 */
function likeness(old: DatabaseFacts, template1: DatabaseFacts | undefined): Sql {
  const same =
    template1 !== undefined &&
    (['encoding', 'provider', 'collate', 'ctype', 'locale', 'icuRules'] as const).every(
      (key) => template1[key] === old[key],
    )
  const template = same ? sql`template template1` : sql`template template0 ${locale(old)}`
  // Naming it takes a right of its own, also where it goes without saying.
  const usual = same ? template1.tablespace : 'pg_default'
  const tablespace = old.tablespace === usual ? sql`` : sql` tablespace ${identifier(old.tablespace)}`
  return sql`with owner ${identifier(old.owner)} ${template}${tablespace} connection limit ${old.connectionLimit}`
}

function locale(old: DatabaseFacts): Sql {
  const base = sql`encoding ${literal(old.encoding)} lc_collate ${literal(old.collate)} lc_ctype ${literal(old.ctype)}`
  const rules = old.icuRules === null ? sql`` : sql` icu_rules ${literal(old.icuRules)}`
  // Said, because template0 may have another one.
  if (old.provider === 'libc') return sql`${base} locale_provider libc`
  if (old.locale === null) return base
  return old.provider === 'icu'
    ? sql`${base} locale_provider icu icu_locale ${literal(old.locale)}${rules}`
    : sql`${base} locale_provider builtin builtin_locale ${literal(old.locale)}`
}

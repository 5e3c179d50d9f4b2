import * as z from 'zod'

import type { Server } from '../server.ts'
import { identifier, join, literal, sql } from '../sql.ts'

/** The roles that the text of `pg_dumpall --globals-only` makes. */
export function rolesIn(globals: string): string[] {
  return [...globals.matchAll(/^CREATE ROLE (?:"((?:[^"]|"")+)"|([^\s";]+));$/gm)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
  )
}

/** Those of them that a server does not have. */
export async function missingRoles(server: Server, wanted: readonly string[]): Promise<string[]> {
  const found = await server.select(z.object({ name: z.string() }), sql`select rolname as name from pg_roles`)
  const names = new Set(found.map(({ name }) => name))
  return wanted.filter((name) => !names.has(name))
}

/** The role that hausmeister comes as. */
export interface Ourselves {
  name: string
  isSuperuser: boolean
}

export async function readOurselves(server: Server): Promise<Ourselves> {
  const [row] = await server.select(
    z.object({ name: z.string(), isSuperuser: z.boolean() }),
    sql`select rolname as name, rolsuper as "isSuperuser" from pg_roles where rolname = current_user`,
  )
  if (!row) throw new Error('the role of a session is a role')
  return row
}

/**
 * Those roles in whose place we cannot act, so that we can give nothing to them: an administrating role of a managed
 * server is no superuser. Since PostgreSQL 16 a role that has made another one is not a member of it by that alone.
 * @param version major version of the server
 */
export async function strangers(
  server: Server,
  version: number,
  names: readonly string[],
): Promise<string[]> {
  if (names.length === 0) return []
  const list = join(names.map(literal), ', ')
  const mayBecome = version >= 16 ? sql`pg_has_role(oid, 'SET')` : sql`pg_has_role(oid, 'MEMBER')`
  const found = await server.select(
    z.object({ name: z.string() }),
    sql`select rolname as name from pg_roles
      where rolname in (${list}) and not (${mayBecome} and pg_has_role(oid, 'USAGE')) order by 1`,
  )
  return found.map(({ name }) => name)
}

/** So that tables can belong to them and grants be theirs. Nobody can log in as one. */
export async function createSilentRoles(
  server: Server,
  names: readonly string[],
  { name: us, isSuperuser }: Ourselves,
): Promise<void> {
  await server.change(
    names.flatMap((name) => [
      sql`create role ${identifier(name)} nologin`,
      ...(isSuperuser ? [] : [sql`grant ${identifier(name)} to ${identifier(us)}`]),
    ]),
  )
}

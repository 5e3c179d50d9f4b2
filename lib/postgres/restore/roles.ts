import { z } from 'zod'

import type { Server } from '../server.ts'
import { identifier, sql } from '../sql.ts'

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

export async function currentRole(server: Server): Promise<string> {
  const [row] = await server.select(z.object({ name: z.string() }), sql`select current_user::text as name`)
  return row?.name ?? ''
}

/** So that tables can belong to them and grants be theirs. Nobody can log in as one. */
export async function createSilentRoles(server: Server, names: readonly string[]): Promise<void> {
  await server.change(names.map((name) => sql`create role ${identifier(name)} nologin`))
}

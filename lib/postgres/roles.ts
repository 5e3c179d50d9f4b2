import * as z from 'zod'

import { isOf, makeVerifier } from './scram.ts'
import type { Server } from './server.ts'
import { identifier, join, literal, sql, type Sql } from './sql.ts'

const RoleFacts = z.object({
  name: z.string(),
  login: z.boolean(),
  replication: z.boolean(),
  /** A SCRAM verifier, an md5 hash, or none. As good as a password to whoever guesses: never shown. */
  verifier: z.string().nullable(),
})
export type RoleFacts = z.infer<typeof RoleFacts>

/** What a role is to be able to do; whatever else it can do stays. */
export interface WantedRole {
  name: string
  password: string | undefined
  login: boolean
  replication: boolean
}

/** All roles but PostgreSQL's own; the server must let us read pg_authid. */
export function readRoles(server: Server): Promise<RoleFacts[]> {
  return server.select(
    RoleFacts,
    sql`select rolname as name, rolcanlogin as login, rolreplication as replication, rolpassword as verifier
      from pg_authid where rolname !~ '^pg_' order by 1`,
  )
}

/**
 * The statements that bring a role to what is wanted; none when it is so.
 * @param hide is told each verifier before it stands in a statement
 */
export async function roleStatements(
  wanted: WantedRole,
  found: RoleFacts | undefined,
  hide: (secret: string) => void,
): Promise<Sql[]> {
  const name = identifier(wanted.name)
  const options: Sql[] = []
  if (wanted.login && !found?.login) options.push(sql`login`)
  if (wanted.replication && !found?.replication) options.push(sql`replication`)
  const { password } = wanted
  if (password !== undefined && !(await isOf(password, found?.verifier ?? ''))) {
    const verifier = await makeVerifier(password)
    hide(verifier)
    options.push(sql`password ${literal(verifier)}`)
  }
  if (found && options.length === 0) return []
  const verb = found ? sql`alter` : sql`create`
  return [join([sql`${verb} role ${name}`, ...options], ' ')]
}

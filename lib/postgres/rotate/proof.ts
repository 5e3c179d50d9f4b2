import { setTimeout as pause } from 'node:timers/promises'

import * as z from 'zod'

import { errorBehind } from '../../host/errors.ts'
import { TaskError } from '../../task/errors.ts'
import type { Primary } from '../cluster.ts'
import { logIn } from '../login.ts'
import { PostgresError, type Server } from '../server.ts'
import { literal, sql } from '../sql.ts'

/** How long a standby may take to follow again, in milliseconds: PostgreSQL tries every 5 s. */
const followPatience = 40_000

/** pgbouncer remembers a refusal of the server for 15 s by default (server_login_retry). Milliseconds. */
const loginPatience = 30_000

export interface Who {
  role: string
  database: string
  /** The machine to come from; undefined: this computer. */
  from: string | undefined
}

/** Whether a role gets in with this password, over TCP. @throws whatever is not about the password */
export async function getsIn(
  primary: Primary,
  { role, database, from }: Who,
  password: string,
): Promise<boolean> {
  try {
    await logIn(primary.server.name, await primary.dialFrom(from), { user: role, password, database })
    return true
  } catch (error) {
    if (isWrongPassword(error)) return false
    throw error
  }
}

/** Said by PostgreSQL, and by pgbouncer for a client or, remembered, for itself. */
export function isWrongPassword(error: unknown): boolean {
  const refused = errorBehind(error, PostgresError)
  return refused !== undefined && /(password|SASL) authentication failed/.test(refused.message)
}

/** @throws TaskError when the new one is refused, or the old one still gets in */
export async function proveLogins(
  old: string,
  fresh: string,
  where: string,
  isRight: (password: string) => Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + loginPatience
  while (!(await isRight(fresh))) {
    if (Date.now() > deadline) throw new TaskError(`${where} refuses the new password`)
    await pause(500)
  }
  if (await isRight(old)) throw new TaskError(`${where} still lets the old password in`)
}

/**
 * Makes the standbys log in anew, and waits until all of them follow.
 * @param standbys how many there are
 */
export async function proveFollowing(
  server: Server,
  role: string,
  standbys: number,
  dryRun: boolean,
): Promise<void> {
  const streaming = async (): Promise<number[]> => {
    const rows = await server.select(
      z.object({ pid: z.number() }),
      sql`select pid from pg_stat_replication where usename = ${literal(role)} and state = 'streaming'`,
    )
    return rows.map(({ pid }) => pid)
  }
  const before = new Set(await streaming())
  await server.change([
    sql`select pg_terminate_backend(pid) from pg_stat_replication where usename = ${literal(role)}`,
  ])
  if (dryRun) return
  const deadline = Date.now() + followPatience
  for (;;) {
    const anew = (await streaming()).filter((pid) => !before.has(pid)).length
    if (anew >= standbys) return
    if (Date.now() > deadline) {
      throw new TaskError(`${anew} of ${standbys} standbys follow ${server.name} with the new password`, {
        next: 'look into the log of PostgreSQL on the standby',
      })
    }
    await pause(500)
  }
}

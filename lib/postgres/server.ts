import type * as z from 'zod'

import type { Attempt, Holder } from '../host/lock.ts'
import { sql, type Sql } from './sql.ts'

/** One PostgreSQL server, as somebody who may create and rename databases on it. */
export interface Server {
  /** How messages name it: the machine, or the cluster where there is no machine of ours. */
  readonly name: string
  /** The database to be connected to while others are created, renamed and dropped. */
  readonly maintenance: string
  /**
   * Runs one SELECT in a read-only transaction.
   * @param database default: the maintenance database
   * @throws PostgresError
   */
  select<Row extends z.ZodType>(row: Row, statement: Sql, database?: string): Promise<z.infer<Row>[]>
  /**
   * Runs statements that change something, one after the other, stopping at the first error.
   * In a dry run they are only shown.
   * @throws PostgresError
   */
  change(statements: Sql[], database?: string): Promise<void>
  /**
   * Runs a script of somebody else's as a role. It reaches the server whole, as from the tools that apps migrate
   * with: not cut at its semicolons, and not read by psql, whose backslash commands can do anything.
   * @throws PostgresError
   */
  script(script: Script, role: string, database: string): Promise<void>
  /** Takes a lock on this server that ends with us. */
  lock(name: string, holder: Holder): Promise<Attempt>
}

export interface Script {
  /** As the dry run and the journal call it. */
  name: string
  text: string
}

/** What the server answered instead of doing it. */
export class PostgresError extends Error {
  override readonly name = 'PostgresError'

  constructor(server: string, message: string, cause?: unknown) {
    super(`PostgreSQL on ${server}: ${message}`, { cause })
  }
}

/** All of them happen, or none. Not for CREATE and DROP DATABASE, which PostgreSQL refuses in a transaction. */
export function transaction(statements: Sql[]): Sql[] {
  return [sql`begin`, ...statements, sql`commit`]
}

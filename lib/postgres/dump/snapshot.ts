import { randomUUID } from 'node:crypto'
import { StringDecoder } from 'node:string_decoder'

import * as z from 'zod'
import type { ProcessPromise } from 'zx/core'

import { PostgresError } from '../server.ts'
import { sql, type Sql } from '../sql.ts'
import { lineOf, type Programs } from './programs.ts'
import { greetingOf, scriptOf } from './way.ts'

const Opened = z.object({ id: z.string(), now: z.string(), replayed: z.string().nullable() })

/** One state of a database, for as long as the session that holds it is open: for pg_dump and for our own questions. */
export class Snapshot {
  readonly #session: Session
  /** For pg_dump. */
  readonly id: string
  /** By the server's clock. */
  readonly taken: Date
  /** When the last transaction that a standby knows of was committed. */
  readonly replayed: Date | undefined

  private constructor(session: Session, { id, now, replayed }: z.infer<typeof Opened>) {
    this.#session = session
    this.id = id
    this.taken = new Date(now)
    this.replayed = replayed === null ? undefined : new Date(replayed)
  }

  /** @throws PostgresError */
  static async take(programs: Programs, database: string): Promise<Snapshot> {
    const session = new Session(programs, database)
    try {
      await session.run(sql`select set_config(name, '0', false) from pg_settings where name in
        ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout', 'max_parallel_workers_per_gather')`)
      // A server that counts for somebody who has gone would go on to the end.
      await session.run(
        sql`select set_config(name, '10s', false) from pg_settings where name = 'client_connection_check_interval'`,
      )
      // Rows that are hidden from us would be missing in the dump: pg_dump turns it off, too, and fails.
      await session.run(sql`set row_security = off`)
      await session.run(sql`set lock_timeout = '5min'`)
      await session.run(sql`begin isolation level repeatable read read only`)
      const [opened] = await session.select(
        Opened,
        sql`select pg_export_snapshot() as id, now() as now,
          case when pg_is_in_recovery() then pg_last_xact_replay_timestamp() end as replayed`,
      )
      if (!opened) throw new PostgresError(programs.server, 'gave no snapshot')
      return new Snapshot(session, opened)
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /** @throws PostgresError; the snapshot is gone then */
  select<Row extends z.ZodType>(row: Row, statement: Sql): Promise<z.infer<Row>[]> {
    return this.#session.select(row, statement)
  }

  close(): Promise<void> {
    return this.#session.close()
  }
}

/** A psql that stays, and does one thing after the other. */
class Session {
  readonly #server: string
  readonly #command: ProcessPromise
  readonly #ended: Promise<never>
  #turn: Promise<unknown> = Promise.resolve()
  #output = ''
  #heard: () => void = () => {}
  #busy = false

  constructor(programs: Programs, database: string) {
    const words = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1']
    const psql = lineOf(programs, 'psql', database, words, ['PGCLIENTENCODING=UTF8'])
    this.#server = programs.server
    this.#command = programs.host.read({
      keepInputOpen: true,
    })`exec bash -c ${scriptOf(programs, `exec ${psql}`, 'all')}`
    this.#command.stdin.write(greetingOf(programs))
    const letters = new StringDecoder()
    this.#command.stdout.on('data', (chunk: Buffer) => {
      this.#output += letters.write(chunk)
      this.#heard()
    })
    this.#ended = this.#command.then(
      () => {
        throw new PostgresError(this.#server, 'the session that held the snapshot ended')
      },
      async (error: unknown) => {
        const { ProcessOutput } = await import('zx/core')
        if (!(error instanceof ProcessOutput) || error.cause || error.exitCode === null) throw error
        const said = error.stderr.trim() || `psql ended with exit code ${error.exitCode}`
        throw new PostgresError(this.#server, said.replace(/^psql: (error: )?/, ''), error)
      },
    )
    this.#ended.catch(() => {})
  }

  async run(statement: Sql): Promise<void> {
    await this.#ask(statement.text)
  }

  async select<Row extends z.ZodType>(row: Row, statement: Sql): Promise<z.infer<Row>[]> {
    const answer = await this.#ask(`select coalesce(json_agg(q), '[]') from (${statement.text}) q`)
    return z.array(row).parse(JSON.parse(answer))
  }

  async close(): Promise<void> {
    if (this.#busy) this.#command.kill('SIGTERM').catch(() => {})
    else this.#command.stdin.end()
    await this.#ended.catch(() => {})
  }

  #ask(text: string): Promise<string> {
    const answer = this.#turn.then(() => Promise.race([this.#answer(text), this.#ended]))
    this.#turn = answer.catch(() => {})
    return answer
  }

  async #answer(text: string): Promise<string> {
    this.#busy = true
    const end = `end ${randomUUID()}\n`
    this.#command.stdin.write(`${text};\n\\echo ${end}`)
    while (!this.#output.endsWith(end)) await new Promise<void>((resolve) => (this.#heard = resolve))
    const answer = this.#output.slice(0, -end.length)
    this.#output = ''
    this.#busy = false
    return answer
  }
}

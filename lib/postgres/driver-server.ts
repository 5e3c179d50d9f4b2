import type { Duplex } from 'node:stream'

import type { Client } from 'pg'
import * as z from 'zod'

import type { Run } from '../host/events.ts'
import type { Attempt, Holder } from '../host/lock.ts'
import { PostgresError, type Script, type Server } from './server.ts'
import { identifier, literal, sql, type Sql } from './sql.ts'

/** Opens the TCP connection to a server: from here, or from a machine of the estate. */
export type Dial = (address: string, port: number) => Promise<Duplex>

/** A server that is reached by a URL: a managed one, one in a container, the embedded one of the demo. */
export class DriverServer implements Server {
  readonly name: string
  readonly maintenance: string
  readonly #url: URL
  readonly #dial: Dial
  readonly #run: Run
  readonly #clients = new Map<string, Promise<Client>>()
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(name: string, url: URL, dial: Dial, run: Run) {
    this.name = name
    this.maintenance = decodeURIComponent(url.pathname.slice(1)) || 'postgres'
    this.#url = url
    this.#dial = dial
    this.#run = run
    run.atEnd(() => this.#close())
  }

  async select<Row extends z.ZodType>(row: Row, statement: Sql, database?: string): Promise<z.infer<Row>[]> {
    const wrapped = `select coalesce(json_agg(q), '[]')::text as rows from (${statement.text}) q`
    const result = await this.#query(`begin read only; ${wrapped}; commit`, database, this.#run.signal())
    const answer = Array.isArray(result) ? result[1] : result
    return z.array(row).parse(JSON.parse(answer.rows[0].rows))
  }

  async change(statements: Sql[], database = this.maintenance): Promise<void> {
    const texts = statements.map(({ text }) => text)
    const input = texts.map((text) => `${text};`).join('\n')
    await this.#act(texts, { command: `SQL in ${database}`, input }, database)
  }

  async script({ name, text }: Script, role: string, database: string): Promise<void> {
    // What it has set must not reach the next statement on this connection.
    const texts = [sql`set role ${identifier(role)}`.text, text, 'discard all']
    await this.#act(texts, { command: `SQL in ${database} as ${role} < ${name}` }, database)
  }

  async #act(texts: string[], shown: { command: string; input?: string }, database: string): Promise<void> {
    const change = { host: this.name, user: decodeURIComponent(this.#url.username), ...shown }
    if (this.#run.dryRun) {
      this.#run.onChange({ state: 'would', ...change })
      return
    }
    try {
      // One by one: several in one message would be a transaction, which CREATE DATABASE refuses. To their
      // end, even at Ctrl-C: none takes long, and a DROP DATABASE that is cancelled leaves a broken database.
      for (const text of texts) await this.#query(text, database)
      this.#run.onChange({ state: 'done', ...change })
    } catch (error) {
      this.#run.onChange({ state: 'failed', ...change })
      throw error
    }
  }

  /** An advisory lock: the server itself gives it up when the session ends. */
  async lock(name: string, holder: Holder): Promise<Attempt> {
    // PostgreSQL cuts an application_name at 63 bytes.
    const label = `${holder.task} ${holder.who}`.slice(0, 63)
    const client = await this.#connect(this.maintenance, label)
    const key = literal(`hausmeister/${name}`)
    const ask = (statement: Sql) =>
      client.query(statement.text).catch((error: unknown) => {
        throw new PostgresError(this.name, error instanceof Error ? error.message : String(error), error)
      })
    const taken = await ask(sql`select pg_try_advisory_lock(hashtextextended(${key}, 0)) as held`)
    if (taken.rows[0].held === true) {
      let released = false
      const lost = new Promise<Error>((tell) => {
        client.once('end', () => {
          if (!released) tell(new PostgresError(this.name, `the session that held the lock ${name} ended`))
        })
      })
      return {
        held: true,
        lost,
        release: async () => {
          released = true
          await client.end()
        },
      }
    }
    const holders = await ask(
      sql`select application_name as task, backend_start as since
        from pg_locks join pg_stat_activity using (pid)
        where locktype = 'advisory' and granted
          and (classid::bigint << 32 | objid::bigint) = hashtextextended(${key}, 0)`,
    )
    await client.end()
    const [task = '', who = ''] = String(holders.rows[0]?.task ?? '').split(' ')
    const since = holders.rows[0]?.since instanceof Date ? holders.rows[0].since.toISOString() : ''
    return { held: false, by: JSON.stringify({ who, task, since }) }
  }

  async #close(): Promise<void> {
    const clients = [...this.#clients.values()]
    this.#clients.clear()
    await Promise.allSettled(clients.map(async (client) => (await client).end()))
  }

  /** One after the other on each connection: pg 9 will not queue them any more. */
  async #query(text: string, database = this.maintenance, signal?: AbortSignal) {
    const before = this.#turns.get(database)
    const turn = Promise.allSettled([before]).then(() => this.#ask(text, database, signal))
    this.#turns.set(database, turn)
    return turn
  }

  async #ask(text: string, database: string, signal: AbortSignal | undefined) {
    const client = this.#clients.get(database) ?? this.#connect(database, 'hausmeister')
    const forget = (): void => {
      if (this.#clients.get(database) === client) this.#clients.delete(database)
    }
    if (!this.#clients.has(database)) {
      this.#clients.set(database, client)
      client.then((open) => open.once('end', forget), forget)
    }
    const open = await client
    signal?.throwIfAborted()
    const cancel = (): void => void this.#cancel(open)
    signal?.addEventListener('abort', cancel)
    try {
      return await open.query(text)
    } catch (error) {
      // What it left behind, an open transaction for one, must not reach the next statement.
      forget()
      open.end().catch(() => {})
      throw new PostgresError(this.name, error instanceof Error ? error.message : String(error), error)
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /**
   * Asks the server to end what it is at (a CancelRequest of PostgreSQL's protocol, on a connection of its
   * own). Hanging up does not: the server goes on, and ends the statement after we have looked around.
   */
  async #cancel(client: Client): Promise<void> {
    try {
      const { processID, secretKey } = z
        .object({ processID: z.number(), secretKey: z.number() })
        .parse(client)
      const request = Buffer.alloc(16)
      for (const [index, value] of [16, 80_877_102, processID, secretKey].entries()) {
        request.writeInt32BE(value, index * 4)
      }
      const stream = await this.#dial(this.#url.hostname, Number(this.#url.port || 5432))
      stream.on('error', () => {})
      stream.end(request)
    } catch {
      await client.end().catch(() => {})
    }
  }

  async #connect(database: string, application: string): Promise<Client> {
    const url = new URL(this.#url)
    url.pathname = databasePath(database)
    const stream = await this.#dial(this.#url.hostname, Number(this.#url.port || 5432))
    return connectDriver(this.name, url, stream, application)
  }
}

/**
 * The database in a URL, as the driver reads it: with decodeURI, which leaves the codes of reserved
 * characters as they are, so that it would look for `a%3Ab` when `a:b` is meant.
 */
export function databasePath(name: string): string {
  if (/[?#]|^\.\.?$/.test(name)) throw new Error(`the driver cannot reach a database called "${name}"`)
  return `/${encodeURIComponent(name)}`.replaceAll(/%(?:2[4BCF6]|3[ABD]|40)/g, (code) =>
    decodeURIComponent(code),
  )
}

/**
 * Speaks PostgreSQL over a stream that is already connected.
 * @throws PostgresError with the server's own words
 */
export async function connectDriver(
  name: string,
  url: URL,
  stream: Duplex,
  application: string,
): Promise<Client> {
  const { default: pg } = await import('pg')
  const { connected } = await import('./connected-socket.ts')
  const client = new pg.Client({
    connectionString: url.href,
    application_name: application,
    stream: () => connected(stream),
    connectionTimeoutMillis: 15_000,
  })
  // A server that goes away while the connection is idle must not end this program.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    stream.destroy()
    throw new PostgresError(name, error instanceof Error ? error.message : String(error), error)
  }
  return client
}

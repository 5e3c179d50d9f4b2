import { z } from 'zod'
import type { ProcessOutput } from 'zx/core'

import type { Host } from '../host/host.ts'
import type { Attempt, Holder } from '../host/lock.ts'
import { PostgresError, type Script, type Server } from './server.ts'
import { dollarQuoted, identifier, sql, type Sql } from './sql.ts'

/** A server on a machine of ours: `psql` there, as the user postgres, over the local socket. */
export class PsqlServer implements Server {
  readonly name: string
  readonly maintenance = 'postgres'
  readonly #host: Host
  readonly #port: number

  constructor(host: Host, port: number) {
    this.name = host.name
    this.#port = port
    this.#host = host.as('postgres')
  }

  async select<Row extends z.ZodType>(
    row: Row,
    statement: Sql,
    database = this.maintenance,
  ): Promise<z.infer<Row>[]> {
    const input = `select coalesce(json_agg(q), '[]') from (${statement.text}) q;\n`
    const readOnly = '-c default_transaction_read_only=on'
    const output = await this.#told(
      () =>
        this.#host.read({
          input,
        })`cd /; PGAPPNAME=hausmeister PGCLIENTENCODING=UTF8 PGOPTIONS=${readOnly} psql ${this.#flags(database)}`,
    )
    return z.array(row).parse(JSON.parse(output))
  }

  async change(statements: Sql[], database = this.maintenance): Promise<void> {
    const text = statements.map((statement) => `${statement.text};\n`).join('')
    await this.#act(text, { command: `psql ${database}`, input: text.trimEnd() }, database)
  }

  async script({ name, text }: Script, role: string, database: string): Promise<void> {
    // What \gexec sends is a query's result, which psql does not read (psql(1)).
    const input = `${sql`set role ${identifier(role)}`.text};\nselect ${dollarQuoted(text)} \\gexec\n`
    await this.#act(input, { command: `psql ${database} as ${role} < ${name}` }, database)
  }

  async #act(input: string, shown: { command: string; input?: string }, database: string): Promise<void> {
    // Rather an error than a wait without end, as a cancelled run waits for this.
    const lockTimeout = '-c lock_timeout=30s'
    await this.#told(
      () =>
        this.#host.change({
          input,
          shown,
          // The server goes on with a statement whose client has died.
          uncancelled: true,
        })`cd /; PGAPPNAME=hausmeister PGCLIENTENCODING=UTF8 PGOPTIONS=${lockTimeout} psql ${this.#flags(database)}`,
    )
  }

  lock(name: string, holder: Holder): Promise<Attempt> {
    return this.#host.lock(name, holder)
  }

  #flags(database: string): string[] {
    return [
      '-X',
      '-q',
      '-A',
      '-t',
      '-v',
      'ON_ERROR_STOP=1',
      '-p',
      String(this.#port),
      '-d',
      connectionString(database),
    ]
  }

  async #told(run: () => PromiseLike<ProcessOutput>): Promise<string> {
    try {
      const output = await run()
      return output.stdout
    } catch (error) {
      // Here, because `--help` loads this file too, and zx takes its time.
      const { ProcessOutput: Failed } = await import('zx/core')
      if (!(error instanceof Failed) || error.cause || error.exitCode === null) throw error
      const said = error.stderr.trim() || error.stdout.trim() || `psql ended with exit code ${error.exitCode}`
      throw new PostgresError(this.name, said.replace(/^psql: (error: )?/, ''), error)
    }
  }
}

/** A database for psql's `-d`: a bare name with "=" in it would be taken for a connection string. */
export function connectionString(database: string): string {
  const quoted = database.replaceAll('\\', String.raw`\\`).replaceAll("'", String.raw`\'`)
  return `dbname='${quoted}'`
}

import * as z from 'zod'
import type { ProcessOutput } from 'zx/core'

import type { Host } from '../host/host.ts'
import type { Attempt, Holder } from '../host/lock.ts'
import { PostgresError, type Script, type Server } from './server.ts'
import { dollarQuoted, identifier, sql, type Sql } from './sql.ts'

/** A question that waits for the others of its moment. */
interface Question {
  statement: Sql
  answer: (rows: unknown) => void
  fail: (error: unknown) => void
}

/** How psql is opened for a server, as somebody who may do everything there. */
export interface Opening {
  /** As messages name the server. */
  name: string
  /** Who calls it on the machine. */
  host: Host
  /** The words in front of it: into a container. */
  inside: readonly string[]
  /** Its own flags that lead to the server. */
  flags: readonly string[]
}

/** As the user postgres over the machine's own socket. */
function onMachine(host: Host, port: number): Opening {
  return { name: host.name, host: host.as('postgres'), inside: [], flags: ['-p', String(port)] }
}

/** A server on a machine of ours: `psql` there, or in the container there. */
export class PsqlServer implements Server {
  readonly name: string
  readonly maintenance = 'postgres'
  readonly opening: Opening
  /** By database. */
  readonly #waiting = new Map<string, Question[]>()

  constructor(host: Host, how: number | Omit<Opening, 'host'>) {
    this.opening = typeof how === 'number' ? onMachine(host, how) : { host, ...how }
    this.name = this.opening.name
  }

  /** Those that are asked at once go in one psql: a process and a session for each would take longer than the answers. */
  async select<Row extends z.ZodType>(
    row: Row,
    statement: Sql,
    database = this.maintenance,
  ): Promise<z.infer<Row>[]> {
    const rows = await new Promise<unknown>((answer, fail) => {
      const question = { statement, answer, fail }
      const waiting = this.#waiting.get(database)
      if (waiting) {
        waiting.push(question)
        return
      }
      this.#waiting.set(database, [question])
      setImmediate(() => void this.#ask(database))
    })
    return z.array(row).parse(rows)
  }

  async #ask(database: string): Promise<void> {
    const questions = this.#waiting.get(database) ?? []
    this.#waiting.delete(database)
    try {
      const rows = await this.#rows(
        questions.map(({ statement }) => statement),
        database,
      )
      questions.forEach(({ answer }, index) => answer(rows[index]))
    } catch (error) {
      const isOne = questions.length === 1
      await Promise.all(
        questions.map(async ({ statement, answer, fail }) => {
          // One of them has failed all: each hears of its own failure only.
          if (isOne || !(error instanceof PostgresError)) fail(error)
          else await this.#rows([statement], database).then(([rows]) => answer(rows), fail)
        }),
      )
    }
  }

  /** The rows of each statement. */
  async #rows(statements: Sql[], database: string): Promise<unknown[]> {
    const each = statements.map(({ text }) => `select coalesce(json_agg(q), '[]') from (${text}) q`)
    const [only = ''] = each
    const all = each.map((one) => `(${one})`).join(',\n')
    const input = each.length === 1 ? `${only};\n` : `select json_build_array(${all});\n`
    const readOnly = '-c default_transaction_read_only=on'
    const output = await this.#told(
      () =>
        this.opening.host.read({
          input,
        })`cd /; ${[...this.opening.inside, 'env']} PGAPPNAME=hausmeister PGCLIENTENCODING=UTF8 PGOPTIONS=${readOnly} psql ${this.#flags(database)}`,
    )
    const answer: unknown = JSON.parse(output)
    return each.length === 1 ? [answer] : z.array(z.unknown()).parse(answer)
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
        this.opening.host.change({
          input,
          shown,
          // The server goes on with a statement whose client has died.
          uncancelled: true,
        })`cd /; ${[...this.opening.inside, 'env']} PGAPPNAME=hausmeister PGCLIENTENCODING=UTF8 PGOPTIONS=${lockTimeout} psql ${this.#flags(database)}`,
    )
  }

  lock(name: string, holder: Holder): Promise<Attempt> {
    return this.opening.host.lock(name, holder)
  }

  #flags(database: string): string[] {
    return [
      '-X',
      '-q',
      '-A',
      '-t',
      '-v',
      'ON_ERROR_STOP=1',
      ...this.opening.flags,
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

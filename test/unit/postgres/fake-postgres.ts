import * as z from 'zod'

import type { Attempt } from '../../../lib/host/lock.ts'
import { PostgresError, type Script, type Server } from '../../../lib/postgres/server.ts'
import type { Sql } from '../../../lib/postgres/sql.ts'

export interface FakeDatabase {
  name: string
  oid: string
  owner: string
  comment: string | null
  open: boolean
  limit: number
  locale: { datlocprovider: string | undefined; datcollate: string }
  template: boolean
  tables: number
  extensions: string[]
  /** undefined: no table `_prisma_migrations` */
  migrations: { name: string; state: string; log: string | null }[] | undefined
  /** Sessions that hold Prisma's lock. */
  migrating: { pid: number; address: string; seconds: number }[]
  settings: { role: string | null; setting: string }[]
  grants: { grantee: string | null; privilege: string; grantable: boolean }[] | null
  sessions: { pid: number; application: string; address: string; user: string }[]
}

const usual: Omit<FakeDatabase, 'name' | 'oid'> = {
  owner: 'postgres',
  comment: null,
  open: true,
  limit: -1,
  locale: { datlocprovider: 'c', datcollate: 'C.UTF-8' },
  template: false,
  tables: 0,
  extensions: [],
  migrations: undefined,
  migrating: [],
  settings: [],
  grants: null,
  sessions: [],
}

/** A PostgreSQL that knows the statements of this project, and answers as the real one would. */
export class FakePostgres {
  databases: FakeDatabase[] = []
  standby = false
  version = 17
  /** Every statement that was to change something, one a line; a failed one too. */
  readonly transcript: string[] = []
  /** Runs before each statement that changes something; what it throws is the answer. */
  before: (statement: string) => void = () => {}
  /** The same for questions. */
  beforeQuestion: (question: string) => void = () => {}
  #oids = 16_384

  constructor(...databases: (Partial<FakeDatabase> & { name: string })[]) {
    for (const name of ['postgres', 'template1']) this.add({ name, template: name === 'template1' })
    for (const one of databases) this.add(one)
  }

  add(one: Partial<FakeDatabase> & { name: string }): FakeDatabase {
    const database = { ...structuredClone(usual), oid: String((this.#oids += 1)), ...one }
    this.databases.push(database)
    return database
  }

  get(name: string): FakeDatabase {
    const found = this.databases.find((one) => one.name === name)
    if (!found) throw new Error(`database "${name}" does not exist`)
    return found
  }

  /** `name: comment`, with `(closed)` where nobody gets in; without those of PostgreSQL itself. */
  list(): string[] {
    return this.databases
      .filter(({ name }) => name !== 'postgres' && name !== 'template1')
      .map(({ name, open, comment }) => `${name}: ${comment ?? ''}${open ? '' : ' (closed)'}`)
      .toSorted()
  }

  /** @throws with PostgreSQL's words */
  connect(name: string): FakeDatabase {
    const database = this.get(name)
    if (!database.open) throw new Error(`database "${name}" is not currently accepting connections`)
    return database
  }

  /** Runs statements as psql does: all up to the first error; a transaction that is not ended leaves nothing. */
  change(statements: string[]): void {
    let saved: FakeDatabase[] | undefined
    try {
      for (const statement of statements) {
        const text = statement.replaceAll(/\s+/g, ' ').trim()
        this.transcript.push(text)
        this.before(text)
        if (text === 'begin') saved = structuredClone(this.databases)
        else if (text === 'commit') saved = undefined
        else if (/^(create|drop) database/.test(text) && saved)
          throw new Error(`${text} cannot run inside a transaction block`)
        else this.#run(text)
      }
    } finally {
      if (saved) this.databases = saved
    }
  }

  #run(text: string): void {
    const change = changes.find(({ pattern }) => pattern.test(text))
    const words = change?.pattern
      .exec(text)
      ?.slice(1)
      .map((word) => plain(word ?? ''))
    if (!change || !words) throw new Error(`syntax error: ${text}`)
    change.run(this, ...words)
  }

  select(text: string, database: string): unknown[] {
    this.beforeQuestion(text)
    const here = this.connect(database)
    const question = questions.find(({ pattern }) => pattern.test(text))
    if (!question) throw new Error(`syntax error: ${text}`)
    return question.answer(this, here, plain(/'((?:[^']|'')*)'(?:::oid| and)/.exec(text)?.[1] ?? ''))
  }
}

interface PatternedChange {
  pattern: RegExp
  run(server: FakePostgres, ...words: string[]): void
}

const name = '"((?:[^"]|"")*)"'

const changes: PatternedChange[] = [
  {
    pattern: new RegExp(`^alter database ${name} with allow_connections (true|false)$`),
    run: (server, database = '', open = '') => void (server.get(database).open = open === 'true'),
  },
  {
    pattern: new RegExp(`^alter database ${name} rename to ${name}$`),
    run: (server, from = '', to = '') => {
      const database = server.get(from)
      if (server.databases.some((one) => one.name === to)) throw new Error(`database "${to}" already exists`)
      if (database.sessions.length > 0) throw new Error(`database "${from}" is being accessed by other users`)
      database.name = to
    },
  },
  {
    pattern: new RegExp(`^comment on database ${name} is '(.*)'$`),
    run: (server, database = '', comment = '') => void (server.get(database).comment = comment || null),
  },
  {
    pattern: new RegExp(
      `^create database ${name} with owner ${name} template (.*) connection limit (-?\\d+)$`,
    ),
    run: (server, database = '', owner = '', template = '', limit = '') => {
      if (server.databases.some((one) => one.name === database))
        throw new Error(`database "${database}" already exists`)
      const collate = /lc_collate '([^']*)'/.exec(template)?.[1] ?? 'C.UTF-8'
      const locale = { datlocprovider: 'c', datcollate: collate }
      server.add({ name: database, owner, limit: Number(limit), locale })
    },
  },
  {
    pattern: new RegExp(`^drop database ${name}( with \\(force\\))?$`),
    run: (server, database = '', force = '') => {
      const gone = server.get(database)
      if (gone.sessions.length > 0 && force === '')
        throw new Error(`database "${database}" is being accessed by other users`)
      server.databases = server.databases.filter((one) => one !== gone)
    },
  },
  {
    pattern: /^select count\(pg_terminate_backend\(pid\)\) from pg_stat_activity where datname = '([^']*)'/,
    run: (server, database = '') => void (server.get(database).sessions = []),
  },
  {
    pattern: new RegExp(
      `^(?:alter (?:database|role ${name} in database) ${name} set|revoke all on database ${name}|grant \\w+ on database ${name}) `,
    ),
    run: (server, ...names) => {
      const database = server.get(names.slice(1).find((one) => one !== '') ?? names[0] ?? '')
      database.settings.push({ role: null, setting: 'changed=1' })
    },
  },
]

interface PatternedQuestion {
  pattern: RegExp
  /** @param word the first string in the question */
  answer(server: FakePostgres, here: FakeDatabase, word: string): unknown[]
}

const questions: PatternedQuestion[] = [
  {
    pattern: /pg_is_in_recovery/,
    answer: ({ standby, version }) => [{ standby, version }],
  },
  {
    pattern: /from pg_database d join pg_tablespace/,
    answer: ({ databases }) => databases.map((one) => factsOf(one)),
  },
  {
    pattern: /from pg_db_role_setting/,
    answer: ({ databases }, _, oid) => databases.find((one) => one.oid === oid)?.settings ?? [],
  },
  {
    pattern: /aclexplode/,
    answer: ({ databases }, _, oid) => [{ grants: databases.find((one) => one.oid === oid)?.grants ?? null }],
  },
  // Its sessions are in no transaction.
  { pattern: /state <> 'idle'/, answer: () => [] },
  {
    pattern: /client backend/,
    answer: (server, _, database) =>
      server.get(database).sessions.map((session) => ({ ...session, count: 1 })),
  },
  {
    pattern: /select pid, application_name/,
    answer: (server, _, database) => server.get(database).sessions,
  },
  {
    pattern: /pg_extension/,
    answer: (_, { tables, extensions }) => [{ tables, extensions }],
  },
  {
    pattern: /locktype = 'advisory'/,
    answer: ({ databases }) => databases.flatMap(({ migrating }) => migrating),
  },
  {
    pattern: /relname = '_prisma_migrations'/,
    answer: (_, { migrations }) => [{ schema: migrations ? 'public' : null }],
  },
  {
    pattern: /from "public"\._prisma_migrations/,
    answer: (_, { migrations }) => migrations ?? [],
  },
]

function factsOf(one: FakeDatabase): unknown {
  return {
    facts: {
      ...one.locale,
      datname: one.name,
      datctype: one.locale.datcollate,
      datallowconn: one.open,
      datconnlimit: one.limit,
      datistemplate: one.template,
    },
    oid: one.oid,
    owner: one.owner,
    encoding: 'UTF8',
    tablespace: 'pg_default',
    comment: one.comment,
    bytes: 8_000_000,
  }
}

function plain(quoted: string): string {
  return quoted.replaceAll("''", "'").replaceAll('""', '"')
}

/** The same as a server that nouns can be given. */
export class FakeServer implements Server {
  readonly name = 'pg-1'
  readonly maintenance = 'postgres'
  readonly postgres: FakePostgres

  constructor(postgres: FakePostgres) {
    this.postgres = postgres
  }

  async select<Row extends z.ZodType>(
    row: Row,
    statement: Sql,
    database = this.maintenance,
  ): Promise<z.infer<Row>[]> {
    return z.array(row).parse(this.#told(() => this.postgres.select(statement.text, database)))
  }

  async change(statements: Sql[]): Promise<void> {
    this.#told(() => this.postgres.change(statements.map(({ text }) => text)))
  }

  /** As {@link FakePostgres} has no tables, a script only leaves its trace. */
  async script(script: Script, role: string, database: string): Promise<void> {
    this.#told(() => {
      this.postgres.connect(database)
      this.postgres.transcript.push(`${script.name} in ${database} as ${role}`)
      this.postgres.before(`${script.name} in ${database} as ${role}`)
    })
  }

  async lock(): Promise<Attempt> {
    return { held: true, release: async () => {}, lost: new Promise(() => {}) }
  }

  #told<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      throw new PostgresError(this.name, error instanceof Error ? error.message : String(error), error)
    }
  }
}

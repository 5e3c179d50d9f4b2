import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import type { Lab } from '../lab.ts'
import { type Outcome, runTask, type TaskLine, type Watch } from './task-run.ts'

/** Rows of the old database: what no fault may lose. */
const oldRows = 1000

export type { Outcome, TaskLine }

/** What is on the server, without what a reset does not touch. */
export interface DatabaseState {
  name: string
  open: boolean
  comment: string
}

/**
 * The database of seed 000 with its old schema, and a small app on vm-app that migrates and seeds
 * through psql, so that a run takes a second and many can be broken off.
 */
export class Stage {
  readonly #lab: Lab
  readonly #folder: string
  readonly inventory: string

  constructor(lab: Lab, folder: string) {
    this.#lab = lab
    this.#folder = folder
    this.inventory = join(folder, 'inventory.json')
  }

  static async open(lab: Lab): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'hausmeister-stage-'))
    const inventory: Record<string, Record<string, unknown>> & { postgres: { main: { pooler?: unknown } } } =
      JSON.parse(await readFile(lab.files.inventory, 'utf8'))
    // Its app comes to the server itself.
    delete inventory.postgres.main.pooler
    inventory['apps'] = {
      light: {
        environment: 'development',
        host: 'vm-app',
        runtime: 'command',
        directory: '/srv/light',
        database: { cluster: 'main', name: 'weltenwind' },
        migrate: './migrate',
        seed: './seed',
      },
    }
    const stage = new Stage(lab, folder)
    await stage.writeInventory(inventory)
    await writeFile(join(folder, '.env'), await readFile(lab.files.env, 'utf8'), { mode: 0o600 })
    const { app } = await lab.secrets()
    await lab.sh('vm-app', lightApp, { input: `${app}\n` })
    return stage
  }

  /** The same with the lab's own app, a Prisma project in Docker Compose; who calls places it before. */
  static async withPrisma(lab: Lab): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'hausmeister-stage-'))
    await writeFile(join(folder, 'inventory.json'), await readFile(lab.files.inventory, 'utf8'))
    await writeFile(join(folder, '.env'), await readFile(lab.files.env, 'utf8'), { mode: 0o600 })
    return new Stage(lab, folder)
  }

  async writeInventory(inventory: unknown): Promise<void> {
    await writeFile(this.inventory, JSON.stringify(inventory, null, 2))
  }

  /** The old database as it is before each test, and nothing beside it. */
  async reset(): Promise<void> {
    await this.#lab.sh('pg-primary', oldDatabase)
    await this.script('migrate', 'create table world (id int primary key, name text not null, assets jsonb)')
    await this.script('seed', "insert into world select i, 'world ' || i, '{}' from generate_series(1, 5) i")
  }

  /** Takes all copies away; the tests make the database anew. */
  async dropAll(): Promise<void> {
    await this.#lab.sh('pg-primary', oldDatabase)
  }

  /** Replaces what the app's command does: statements, or with a shebang a whole script. */
  async script(name: 'migrate' | 'seed', text: string): Promise<void> {
    const script = text.startsWith('#!')
      ? text
      : `#!/bin/sh\n. ./env\nexec psql -X -q -v ON_ERROR_STOP=1 -c ${quoted(text)}\n`
    await this.#lab.sh(
      'vm-app',
      `cat > /srv/light/${name}.new && chmod 755 /srv/light/${name}.new && mv /srv/light/${name}.new /srv/light/${name}`,
      {
        input: script,
      },
    )
  }

  /** Runs pg-reset on the operator's workstation. */
  pgReset(flags: string[], on?: Watch): Promise<Outcome> {
    const given = ['--inventory', this.inventory, '--database', 'weltenwind', ...flags]
    return runTask(this.#lab, 'pg-reset', given, { on })
  }

  async databases(): Promise<DatabaseState[]> {
    const { stdout } = await this.#psql(
      `select json_agg(json_build_object('name', datname, 'open', datallowconn,
        'comment', coalesce(shobj_description(oid, 'pg_database'), '')) order by datname)
        from pg_database where datname like 'weltenwind%' and datname <> 'weltenwind_shadow'`,
    )
    return JSON.parse(stdout)
  }

  /** The name of the database that holds the old rows, all of them; undefined when none does. */
  async whereOldDataIs(): Promise<string | undefined> {
    const { stdout } = await this.#lab.sh('pg-primary', findOldData)
    return stdout.trim() || undefined
  }

  /** Whether the server takes commands, and not only reads. */
  async answers(): Promise<boolean> {
    const { exitCode } = await this.#lab.sh(
      'pg-primary',
      "cd /; runuser -u postgres -- psql -X -At -c 'create temp table t ()'",
      {
        nothrow: true,
      },
    )
    return exitCode === 0
  }

  /** How many worlds a database holds. */
  async rows(database: string): Promise<number> {
    const { stdout } = await this.#lab.sh(
      'pg-primary',
      `cd /; runuser -u postgres -- psql -X -At -d ${database} -c 'select count(*) from world'`,
    )
    return Number(stdout)
  }

  /** Processes that a run started on a machine and that are still there after the time a guard needs. */
  async leftovers(host: string): Promise<string[]> {
    const deadline = Date.now() + 10_000
    for (;;) {
      const { stdout } = await this.#lab.sh(host, leftovers)
      const left = stdout.split('\n').filter((line) => line.trim() !== '')
      if (left.length === 0 || Date.now() > deadline) return left
      await pause(200)
    }
  }

  async #psql(statement: string) {
    return this.#lab.sh('pg-primary', 'cd /; runuser -u postgres -- psql -X -At', { input: statement })
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

const lightApp = `
read -r password
mkdir -p /srv/light
umask 077
printf 'export PGHOST=10.10.10.11 PGUSER=ww_app PGDATABASE=weltenwind PGPASSWORD=%s\\n' "$password" > /srv/light/env
chown -R ops: /srv/light
chmod 755 /srv/light`

/** Kept copies accept no connections, so their rows are counted after opening them for a moment. */
const everyDatabase = `
sql() { runuser -u postgres -- psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }
cd /
names() { sql -c "select datname from pg_database where datname like 'weltenwind%' and datname <> 'weltenwind_shadow'"; }`

const oldDatabase = `set -eu
${everyDatabase}
for name in $(names); do
  sql -c "alter database \\"$name\\" with allow_connections true" -c "drop database \\"$name\\" with (force)"
done
sql -c "create database weltenwind owner ww_app"
sql -d weltenwind <<SQL
set role ww_app;
create table world (id int primary key, name text not null, parent_theme text, theme_bundle text);
insert into world select i, 'old ' || i, 'p', 't' from generate_series(1, ${oldRows}) i;
SQL`

const findOldData = `set -eu
${everyDatabase}
for name in $(names); do
  open=$(sql -c "select datallowconn::text from pg_database where datname = '$name'")
  sql -c "alter database \\"$name\\" with allow_connections true"
  rows=$(sql -d "$name" -c "select count(*) from world where parent_theme = 'p' and name = 'old ' || id" 2>/dev/null || true)
  sql -c "alter database \\"$name\\" with allow_connections $open"
  if [ "$rows" = ${oldRows} ]; then echo "$name"; fi
done`

const leftovers = `
for folder in /proc/[0-9]*; do
  if grep -qaz -e '^HAUSMEISTER_CHANNEL=' "$folder/environ" 2>/dev/null || grep -qaz -e '^hausmeister-guard$' "$folder/cmdline" 2>/dev/null; then
    tr '\\0\\n' '  ' < "$folder/cmdline" 2>/dev/null | cut -c 1-100; echo
  fi
done`

import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { appFolder } from './app-image.ts'
import type { Lab } from './lab.ts'

const source = '/srv/weltenwind/src'
const fault = `${source}/prisma/migrations/20990101000000_fault`

/** A migration that fails in the middle: nothing of it stays but a failed row in `_prisma_migrations`. */
export const brokenMigration =
  'CREATE TABLE "half" ("id" INTEGER);\nALTER TABLE "nowhere" ADD COLUMN "id" INTEGER;\n'

/** A migration that takes so long, in one transaction, and leaves a table `slow`. */
export function slowMigration(seconds: number): string {
  return `CREATE TABLE "slow" ("id" INTEGER);\nSELECT pg_sleep(${seconds});\n`
}

/** Puts a migration after those of the app. `placeWeltenwind` takes it away again, as does {@link removeMigration}. */
export async function addMigration(lab: Lab, sql: string): Promise<void> {
  await lab.sh('vm-app', `mkdir -p ${fault} && cat >${fault}/migration.sql`, { input: sql })
}

export async function removeMigration(lab: Lab): Promise<void> {
  await lab.sh('vm-app', `rm -rf ${fault}`)
}

/** What the seed does beside its work; an empty object makes it whole again. */
export type SeedFault = { fail?: true; pauseMs?: number; megabytes?: number }

/** By lines in the app's `.env`, so that the commands in the inventory stay as they are. */
export async function setSeed(lab: Lab, { fail, pauseMs, megabytes }: SeedFault): Promise<void> {
  const lines = [
    fail && 'SEED_FAIL=1',
    pauseMs !== undefined && `SEED_PAUSE_MS=${pauseMs}`,
    megabytes !== undefined && `SEED_MEGABYTES=${megabytes}`,
  ].filter((line) => typeof line === 'string')
  await lab.sh('vm-app', `sed -i '/^SEED_/d' ${source}/.env && cat >>${source}/.env`, {
    input: lines.map((line) => `${line}\n`).join(''),
  })
}

type Migration = { name: string; sql: string; checksum: string }

async function migrations(): Promise<Migration[]> {
  const folder = join(appFolder, 'prisma/migrations')
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return await Promise.all(
    names.toSorted().map(async (name) => {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

/** As Prisma itself makes it, and the row as `prisma migrate deploy` leaves it. */
const bookkeeping = `CREATE TABLE _prisma_migrations (
  id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL,
  logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(),
  applied_steps_count integer NOT NULL DEFAULT 0
);`

function applied({ name, checksum }: Migration): string {
  return `INSERT INTO _prisma_migrations VALUES ('${randomUUID()}', '${checksum}', now(), '${name}', NULL, NULL, now(), 1);`
}

const rows = `
INSERT INTO worlds (slug, name, parent_theme, theme_bundle)
  VALUES ('north-march', 'North March', 'winter', 'north-1'), ('storm-coast', 'Storm Coast', 'sea', 'coast-3');
INSERT INTO players (email, name, role, world_id)
  SELECT 'player' || n || '@weltenwind.example', 'Player ' || n, 'PLAYER', 1 + n % 2 FROM generate_series(1, 200) AS n;
INSERT INTO sessions (id, player_id, expires_at)
  SELECT md5(n::text), n, now() + n * interval '1 minute' FROM generate_series(1, 50) AS n;
INSERT INTO page_permissions (page, role)
  SELECT page, role FROM unnest(ARRAY['home', 'map']) AS page, unnest(enum_range(NULL::"Role")) AS role;
ALTER TABLE page_permissions DROP COLUMN allowed;`

/**
 * The database as the owner of seed 000 finds it: Prisma's table says that all migrations are applied, yet the last one
 * never ran, as after `migrate resolve --applied`. `worlds` has `parent_theme` and `theme_bundle` and no `assets`,
 * `page_permissions` no `allowed`. Migrate finds nothing to do, the seed fails at `world.upsert`, and health answers 500.
 * 2 worlds, 200 players, 50 sessions, 6 permissions.
 */
export async function oldSchemaSql(): Promise<string> {
  const all = await migrations()
  const done = all.slice(0, -1).map(({ sql }) => sql)
  return [...done, bookkeeping, ...all.map(applied), rows].join('\n')
}

/** Runs SQL in the database weltenwind as ww_app, in one transaction; the schema is empty then. */
async function startOver(lab: Lab, sql: string): Promise<void> {
  const psql = 'psql -X -q -v ON_ERROR_STOP=1 --single-transaction -d weltenwind'
  const script = `cd / && runuser -u postgres -- env PGOPTIONS='-c client_min_messages=warning' ${psql}`
  const empty = `DROP SCHEMA public CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
SET ROLE ww_app;`
  await lab.sh('pg-primary', script, { input: `${empty}\n${sql}` })
}

/** Leaves the database weltenwind without a table; the database itself stays, with its settings. */
export async function makeEmpty(lab: Lab): Promise<void> {
  await startOver(lab, '')
}

/** Replaces what is in the database weltenwind by {@link oldSchemaSql}; the database itself stays, with its settings. */
export async function makeOldSchema(lab: Lab): Promise<void> {
  await startOver(lab, await oldSchemaSql())
}

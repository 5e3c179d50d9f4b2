import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { Stage, type TaskLine } from './faults/stage.ts'
import { notes, type Outcome, runTask, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'
import { addMigration, brokenMigration, makeOldSchema, removeMigration } from './weltenwind-faults.ts'
import { placeWeltenwind } from './weltenwind.ts'

const lab = openLab()
let stage: Stage

beforeAll(async () => {
  await provisionPostgres(lab)
  await placeWeltenwind(lab)
  stage = await Stage.withPrisma(lab)
  await stage.dropAll()
}, 300_000)
beforeEach(async () => {
  await removeMigration(lab)
  await makeOldSchema(lab)
})
afterEach(async () => {
  // Whatever a test did: the shadow is a database of its own, and empty.
  expect(
    await sql(
      `select count(*) from pg_class where relnamespace = 'public'::regnamespace`,
      'weltenwind_shadow',
    ),
  ).toBe('0')
})
afterAll(async () => {
  await removeMigration(lab)
  await stage.close()
})

function drift(flags: string[] = ['--yes'], on?: Watch): Promise<Outcome> {
  return runTask(lab, 'pg-drift', ['--inventory', stage.inventory, '--database', 'weltenwind', ...flags], {
    on,
  })
}

async function sql(text: string, database = 'weltenwind'): Promise<string> {
  const psql = `cd /; runuser -u postgres -- psql -X -q -At -v ON_ERROR_STOP=1 -d ${database}`
  return (await lab.sh('pg-primary', psql, { input: text })).stdout.trim()
}

async function dump(): Promise<string> {
  const { stdout } = await lab.sh(
    'pg-primary',
    "cd /; runuser -u postgres -- pg_dump weltenwind | grep -v -e '^.restrict ' -e '^.unrestrict '",
  )
  return stdout
}

/** The last migration of the app, which the old schema says it has and has not. */
const catchUp = `set role ww_app;
  alter table worlds add column assets jsonb not null default '{}', drop column parent_theme, drop column theme_bundle;
  alter table page_permissions add column allowed boolean not null default true;`

function begins(step: string, { event, state, title }: TaskLine): boolean {
  return event === 'step' && state === 'started' && title?.startsWith(step) === true
}

/** The lines of the comparison. */
function found(outcome: Outcome): string[] {
  const text = JSON.stringify(outcome.events.find(({ event }) => event === 'data')?.data ?? {})
  const data: { differences: { change: string; kind: string; name: string }[] } = JSON.parse(text)
  return data.differences.map(({ change, kind, name }) => `${change} ${kind} ${name}`)
}

test('the old schema of seed 000: what is missing and surplus, by name; the database is not touched', async () => {
  const before = await dump()
  const outcome = await drift()
  expect(outcome.code).toBe(1)
  expect(found(outcome)).toEqual([
    'missing column public.page_permissions.allowed',
    'missing column public.worlds.assets',
    'surplus column public.worlds.parent_theme',
    'surplus column public.worlds.theme_bundle',
  ])
  expect(await dump()).toBe(before)
})

test('no drift, whatever search path the database has', async () => {
  await sql(catchUp)
  await sql('alter database weltenwind set search_path to pg_temp')
  const outcome = await drift()
  await sql('alter database weltenwind reset search_path')
  expect(outcome).toMatchObject({ code: 0, error: '' })
  expect(found(outcome)).toEqual([])
})

test('what a hand has changed: each kind of thing', async () => {
  await sql(catchUp)
  await sql(`set role ww_app;
    alter table worlds alter column slug type varchar(40), alter column name drop not null;
    alter table players add constraint players_name_check check (name <> ''), alter column role set default 'ADMIN';
    alter table sessions drop constraint sessions_player_id_fkey;
    drop index players_world_id_idx;
    create index worlds_name on worlds (name);
    alter type "Role" add value 'GUEST';
    create table notes (id int primary key, text text);
    create view names as select name from worlds;
    create schema extra;
    create sequence extra.numbers;`)
  const outcome = await drift()
  await sql('drop schema extra cascade')
  expect(outcome.code).toBe(1)
  expect(found(outcome)).toEqual([
    'surplus schema extra',
    'different enum public.Role',
    'surplus table public.notes',
    'surplus view public.names',
    'different column public.players.role',
    'different column public.worlds.name',
    'different column public.worlds.slug',
    'surplus constraint public.players.players_name_check',
    'missing constraint public.sessions.sessions_player_id_fkey',
    'missing index public.players_world_id_idx',
    'surplus index public.worlds_name',
  ])
})

test('a migration that failed half-way, and fails in the shadow too: compared with those before it', async () => {
  await sql(catchUp)
  await addMigration(lab, brokenMigration)
  const outcome = await drift()
  expect(outcome.code).toBe(1)
  expect(notes(outcome)).toMatch(/20990101000000_fault does not run on .* relation "nowhere" does not exist/)
  expect(found(outcome)).toEqual([])
})

/** What Prisma sends whole, and psql would cut or read. The last one is none that a server can run. */
const awkward = {
  '20990101000000_enum': `BEGIN;\nALTER TYPE "Role" RENAME TO "Role_old";\nCREATE TYPE "Role" AS ENUM ('PLAYER');\nCOMMIT;\n`,
  '20990102000000_index': 'CREATE INDEX CONCURRENTLY "later" ON "worlds"("name");\n',
  '20990103000000_path': "SELECT set_config('search_path', '', false);\nCREATE TABLE public.late ();\n",
  '20990104000000_psql': String.raw`\! touch /tmp/owned` + '\n',
}

test('migrations with transactions of their own, CONCURRENTLY, a search path left behind; and a command of psql, which is not run', async () => {
  const folder = '/srv/weltenwind/src/prisma/migrations'
  for (const [name, text] of Object.entries(awkward)) {
    const file = `${folder}/${name}/migration.sql`
    await lab.sh('vm-app', `mkdir -p ${folder}/${name} && cat > ${file}`, { input: text })
  }
  const outcome = await drift()
  await lab.sh('vm-app', `rm -r ${folder}/2099*`)
  expect(found(outcome)).toEqual(
    expect.arrayContaining([
      'missing enum public.Role_old',
      'missing index public.later',
      'missing table public.late',
    ]),
  )
  expect(notes(outcome)).toMatch(/20990104000000_psql does not run on .* syntax error at or near "\\"/)
  expect((await lab.sh('pg-primary', 'ls /tmp')).stdout).not.toContain('owned')
})

test('Ctrl-C while the migrations run: the shadow is empty, the database as it was', async () => {
  await addMigration(lab, 'SELECT pg_sleep(3);\n')
  const outcome = await drift(['--yes'], (line, kill) => {
    if (begins('Run the migrations', line)) kill('SIGINT')
  })
  expect(outcome.code).toBe(130)
  expect(outcome.error).toMatch(/weltenwind_shadow is empty, and weltenwind was not touched/)
})

test('a dry run, no --yes, and a shadow that says it is production: nothing is touched', async () => {
  const mark = "select oid from pg_database where datname = 'weltenwind_shadow'"
  const before = await sql(mark)
  const dry = await drift(['--dry-run'])
  expect(dry).toMatchObject({ code: 0, error: '' })
  expect(notes(dry)).toMatch(/weltenwind was compared with nothing/)
  expect(await drift([])).toMatchObject({
    code: 2,
    error: expect.stringMatching(/no terminal to confirm "weltenwind_shadow"/),
  })
  await sql(`comment on database weltenwind_shadow is '[hausmeister environment=production]'`)
  const refused = await drift()
  await sql('comment on database weltenwind_shadow is null')
  expect(refused).toMatchObject({
    code: 2,
    error: expect.stringMatching(/weltenwind_shadow on pg-primary is marked as production/),
  })
  expect(await sql(mark)).toBe(before)
})

import { randomBytes } from 'node:crypto'

import { generateX25519Identity } from 'age-encryption'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { detailOf } from './cluster-stage.ts'
import { begins, notes, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'
import { RestoreStage } from './restore-stage.ts'
import { provisionStore, removeStore } from './store.ts'

const lab = openLab()
const rows = 5000
const rested = 100_000
let stage: RestoreStage
let good = ''
const farPassword = randomBytes(12).toString('hex')

/** While this file is there, the restore of the materialized view waits. */
const napping = '/var/lib/postgresql/napping'

const content = `
create table worlds (id int primary key, name text not null);
insert into worlds select i, md5(i::text) from generate_series(1, ${rows}) i;
create table _prisma_migrations (migration_name text, logs text, rolled_back_at timestamptz, finished_at timestamptz,
  started_at timestamptz default now());
insert into _prisma_migrations values ('1_first', null, null, now());
grant select on worlds to ww_reader;
reset role;
create function nap() returns int language plpgsql as $$
begin
  while (pg_stat_file('${napping}', true)).size is not null loop perform pg_sleep(0.1); end loop;
  return 1;
end $$;
create materialized view rested as
  select md5(g::text) as text from (select public.nap() offset 0) s, generate_series(1, ${rested}) g;`

/** Those of a database as it was when it was backed up. */
const facts = `select (select count(*) from worlds), (select sum(id) from worlds), (select count(*) from rested),
  has_table_privilege('ww_reader', 'worlds', 'select'),
  (select relowner::regrole from pg_class where relname = 'worlds')`
/** What pg_dump's own archive gives only to a database that pg_restore creates under the old name. */
const properties = `select datcollate, datctype, datconnlimit, shobj_description(oid, 'pg_database') ~ '^our worlds ',
  has_database_privilege('ww_reader', oid, 'create'), current_setting('work_mem'),
  (select setconfig from pg_db_role_setting where setdatabase = d.oid and setrole = 'ww_app'::regrole)
  from pg_database d where datname = current_database()`
const propertiesAsDumped = 'C|C|33|t|t|9MB|{"search_path=app, public"}'
const asDumped = `${rows}|${(rows * (rows + 1)) / 2}|${rested}|t|ww_app`

beforeAll(async () => {
  stage = await RestoreStage.open(lab, {
    env: [`FAR_URL=postgresql://far_admin:${farPassword}@10.10.10.11:5432/postgres`],
  })
  await Promise.all([provisionPostgres(lab), provisionStore(lab)])
  await stage.makeBucket()
  await stage.psql(
    'pg-primary',
    `drop database if exists weltenwind;
create database weltenwind owner ww_app template template0 lc_collate 'C' lc_ctype 'C' connection limit 33;
drop role if exists ww_reader; create role ww_reader login;
comment on database weltenwind is 'our worlds';
grant create on database weltenwind to ww_reader;
alter database weltenwind set work_mem to '9MB';
alter role ww_app in database weltenwind set search_path to app, public;`,
  )
  await stage.psql('pg-primary', `create extension hstore; set role ww_app; ${content}`, 'weltenwind')
  good = await stage.backUp()
})

afterAll(async () => {
  await stage.psql(
    'pg-primary',
    String.raw`select format('alter database %I with allow_connections true', datname) from pg_database
      where datname ~ '^weltenwind(__|$)' \gexec
select format('drop database %I with (force)', datname) from pg_database where datname ~ '^weltenwind(__|$)' \gexec
drop role ww_reader`,
  )
  await provisionPostgres(lab)
  await removeStore(lab)
  await stage.close()
})

/** Does something when the restore is in the middle of it. */
function inTheMiddle(act: (kill: (signal: NodeJS.Signals) => void) => unknown): Watch {
  const restoring = `select count(*) from pg_stat_activity where query ~ '^REFRESH' and datname ~ '__(verify|restore)_'`
  return (line, kill) => {
    if (!begins('Restore ', line)) return
    void expect
      .poll(() => stage.psql('pg-primary', restoring), { interval: 100, timeout: 60_000 })
      .toBe('1')
      .then(() => act(kill))
  }
}

/** A restore that waits in the middle until it is told to go on. */
async function whileNapping<T>(work: () => Promise<T>): Promise<T> {
  await lab.sh('pg-primary', `touch ${napping}`)
  try {
    return await work()
  } finally {
    await lab.sh('pg-primary', `rm -f ${napping}`)
  }
}

describe('backup-verify', () => {
  test('a check that says no, one that is no SQL, one that would write', async () => {
    const no = await stage.verify(good, {
      backup: { checks: { weltenwind: ['select count(*) > 9000 from worlds'] } },
    })
    expect(no).toMatchObject({
      code: 1,
      error: expect.stringMatching(/no good backup[^]*the answer is false/),
    })
    const wrong = await stage.verify(good, { backup: { checks: { weltenwind: ['selct 1'] } } })
    expect(wrong).toMatchObject({
      code: 1,
      error: expect.stringMatching(/could not be asked[^]*selct 1[^]*syntax error[^]*backup\.checks/),
    })
    const writes = await stage.verify(good, {
      backup: {
        checks: { 'main/weltenwind': ['with gone as (delete from worlds returning 1) select true'] },
      },
    })
    expect(writes).toMatchObject({ code: 1, error: expect.stringMatching(/could not be asked/) })
    // Only the first one says something of the backup.
    expect((await stage.evidence(good)).map(({ outcome }) => outcome)).toEqual(['bad'])
    expect(await stage.scratches()).toBe('')
  })

  test('a good one: compared, asked, recorded, and nothing is left', async () => {
    const before = await stage.psql('pg-primary', facts, 'weltenwind')
    expect(before).toBe(asDumped)
    const checks = { weltenwind: [`select count(*) = ${rows} from worlds`, `select 'a' < 'b'`] }
    const run = await stage.verify(good, { backup: { checks } })
    expect(run).toMatchObject({ code: 0, error: '' })
    expect(detailOf(run, /^Compare/)).toBe(`2 tables with ${rows + 1} rows, 1 migrations, 2 checks`)
    expect((await stage.evidence(good)).slice(-1)).toMatchObject([
      { outcome: 'good', findings: [`2 tables with ${rows + 1} rows, 1 migrations, 2 checks`] },
    ])
    expect(await stage.scratches()).toBe('')
  })

  test('one byte flipped, cut short, the manifest gone: told, recorded where it is certain', async () => {
    const [flipped, short, bare] = ['01', '02', '03'].map((hour) => `20260101T${hour}0000Z`)
    for (const id of [flipped, short, bare]) await stage.copy(good, String(id))
    await stage.change(String(flipped), 'dump.age', `perl -0777 -pe 'substr($_, 3000, 1) ^= "\\x01"'`)
    await stage.change(String(short), 'dump.age', 'head -c -100')
    await stage.remove(String(bare), 'manifest.json')

    const damaged = await stage.verify(String(flipped))
    expect(damaged).toMatchObject({
      code: 1,
      error: expect.stringMatching(/damaged: dump\.age has the SHA-256/),
    })
    expect(await stage.evidence(String(flipped))).toMatchObject([{ outcome: 'bad' }])
    const bad = await stage.restore(['--backup', String(flipped)])
    expect(bad).toMatchObject({ code: 1, error: expect.stringMatching(/20260101T010000Z of \S+ is bad: /) })
    for (const [id, why] of [
      [short, /is damaged: dump\.age has \d+ bytes, and its manifest says/],
      [bare, /is incomplete: it has no manifest/],
    ] as const) {
      expect(await stage.verify(String(id))).toMatchObject({ code: 1, error: expect.stringMatching(why) })
    }
    expect(await stage.scratches()).toBe('')
  })

  test('the wrong age key, a standby, an extension that is not installed: nothing is recorded', async () => {
    const before = (await stage.evidence(good)).length
    const key = await stage.verify(good, {}, { env: { BACKUP_IDENTITY: await generateX25519Identity() } })
    expect(key).toMatchObject({
      code: 1,
      error: expect.stringMatching(/does not open with our age key[^]*backup\.identity/),
    })
    const standby = await stage.verify(good, {
      backup: { scratch: 'copy' },
      others: { copy: { hosts: ['pg-replica'] } },
    })
    expect(standby).toMatchObject({ code: 1, error: expect.stringMatching(/pg-replica is a standby/) })

    const control = '/usr/share/postgresql/17/extension/hstore.control'
    await lab.sh('pg-primary', `mv ${control} ${control}.away`)
    try {
      const missing = await stage.verify(good)
      expect(missing).toMatchObject({
        code: 1,
        error: expect.stringMatching(/extension "hstore" is not available[^]*install the package/),
      })
    } finally {
      await lab.sh('pg-primary', `mv ${control}.away ${control}`)
    }
    expect(await stage.evidence(good)).toHaveLength(before)
    expect(await stage.scratches()).toBe('')
  })

  test('two at once, and pg_restore killed in the middle', async () => {
    const before = await stage.evidence(good)
    let second: Promise<{ code: number | null; error: string }> | undefined
    const act = async () => {
      second = stage.verify(good)
      await second
      await lab.sh('pg-primary', 'pkill -9 -x pg_restore')
    }
    const first = await whileNapping(() => stage.verify(good, {}, { on: inTheMiddle(act) }))
    expect(await second).toMatchObject({
      code: 75,
      error: expect.stringMatching(/backup-verify\/weltenwind is locked by/),
    })
    expect(first).toMatchObject({ code: 1, error: expect.stringMatching(/pg_restore[^]*exit code 137/) })
    expect(await stage.evidence(good)).toEqual(before)
    expect(await stage.scratches()).toBe('')
  })

  test('Ctrl-C drops the scratch database; what kill -9 leaves is dropped by the next run, and nothing else', async () => {
    const cancelled = await whileNapping(() =>
      stage.verify(good, {}, { on: inTheMiddle((kill) => kill('SIGINT')) }),
    )
    expect(cancelled.code).toBe(130)
    expect(await stage.scratches()).toBe('')

    const somebodys = 'weltenwind__verify_1_of_mine'
    await stage.psql('pg-primary', `create database ${somebodys}`)
    const killed = await whileNapping(() =>
      stage.verify(good, {}, { on: inTheMiddle((kill) => kill('SIGKILL')) }),
    )
    expect(killed.code).toBeNull()
    expect((await stage.scratches()).split('\n')).toHaveLength(2)
    const next = await stage.verify(good)
    expect(next).toMatchObject({ code: 0, error: '' })
    expect(
      next.events.some(
        (line) => begins('Drop weltenwind__verify_', line) && /has left/.test(line.title ?? ''),
      ),
    ).toBe(true)
    expect(await stage.scratches()).toBe(somebodys)
    await stage.psql('pg-primary', `drop database ${somebodys}`)
  })
})

describe('backup-restore', () => {
  test('beside the present one, whatever is in public and template1, then it has the name; and back', async () => {
    await stage.psql('pg-primary', 'create table worlds (id int)', 'template1')
    await stage.psql(
      'pg-primary',
      `insert into worlds select i, 'late' from generate_series(9001, 9010) i`,
      'weltenwind',
    )
    await stage.psql(
      'pg-primary',
      `alter database weltenwind set work_mem to '7MB'; alter database weltenwind connection limit 41`,
    )
    try {
      const production = await stage.restore([], {
        main: { databases: { weltenwind: { owner: 'ww_app', environment: 'production' } }, access: [] },
      })
      expect(production).toMatchObject({ code: 2, error: expect.stringMatching(/--confirm weltenwind/) })

      const run = await stage.restore([])
      expect(run).toMatchObject({ code: 0, error: '' })
      expect(run.events.find(({ event }) => event === 'data')?.data).toMatchObject({
        backup: good,
        on: 'pg-primary',
      })
      expect(await stage.psql('pg-primary', facts, 'weltenwind')).toBe(asDumped)
      expect(
        await stage.psql(
          'pg-primary',
          `show work_mem; select datconnlimit from pg_database where datname = current_database()`,
          'weltenwind',
        ),
      ).toBe('7MB\n41')
      const kept = await stage.psql(
        'pg-primary',
        `select count(*) from pg_database where datname like 'weltenwind\\_\\_before\\_restore%' and not datallowconn`,
      )
      expect(kept).toBe('1')

      const back = await stage.restore(['--undo'])
      expect(back).toMatchObject({ code: 0, error: '' })
      expect(await stage.psql('pg-primary', 'select count(*) from worlds', 'weltenwind')).toBe(
        String(rows + 10),
      )
    } finally {
      await stage.psql('pg-primary', 'drop table worlds', 'template1')
    }
    expect(await stage.scratches()).toBe('')
  })

  test('no room is refused before; a disk that runs full in the middle leaves the old one as it was', async () => {
    await stage.psql('pg-primary', `alter system set max_wal_size = '900TB'; select pg_reload_conf()`)
    const refused = await stage.restore([])
    await stage.psql('pg-primary', `alter system reset max_wal_size; select pg_reload_conf()`)
    expect(refused).toMatchObject({
      code: 1,
      error: expect.stringMatching(/ free, and the restore needs [^]*max_wal_size[^]*make room/),
    })

    // Its WAL is on another disk, or a full one would stop the whole server.
    const disk = '/var/lib/postgresql/17/main/base'
    const before = await stage.evidence(good)
    await lab.sh('pg-primary', 'systemctl stop postgresql@17-main')
    await lab.limitDisk('pg-primary', disk, '500M')
    try {
      await lab.sh('pg-primary', 'systemctl start postgresql@17-main')
      const act = async () => {
        await lab.fillDisk('pg-primary', disk, 1_000_000)
        await lab.sh('pg-primary', `rm -f ${napping}`)
      }
      const full = await whileNapping(() => stage.restore([], {}, { on: inTheMiddle(act) }))
      expect(full).toMatchObject({
        code: 1,
        error: expect.stringMatching(/weltenwind is as it was, open[^]*No space left on device[^]*make room/),
      })
      expect(await stage.psql('pg-primary', 'select count(*) from worlds', 'weltenwind')).toBe(
        String(rows + 10),
      )
      expect(await stage.scratches()).toBe('')
      expect(await stage.evidence(good)).toEqual(before)
    } finally {
      await lab.sh('pg-primary', `rm -f ${disk}/.lab-filler; systemctl stop postgresql@17-main`)
      await lab.unlimitDisk('pg-primary', disk)
      await lab.sh('pg-primary', 'systemctl start postgresql@17-main')
    }
  })

  test('disaster: the database is dropped, then its machine is gone; every row comes back', async () => {
    await stage.psql('pg-primary', 'drop database weltenwind with (force)')
    const run = await stage.restore([])
    expect(run).toMatchObject({ code: 0, error: '' })
    expect(run.events.find(({ event }) => event === 'data')?.data).toMatchObject({
      backup: good,
      rtoMs: expect.any(Number),
      rpoMs: expect.any(Number),
    })
    expect(await stage.psql('pg-primary', facts, 'weltenwind')).toBe(asDumped)
    expect(await stage.psql('pg-primary', properties, 'weltenwind')).toBe(propertiesAsDumped)
    expect(await stage.scratches()).toBe('')

    const fresh = { main: { hosts: ['vm-grafana'], replication: undefined } }
    try {
      expect(await stage.run('pg-setup', ['--yes'], fresh)).toMatchObject({ code: 0, error: '' })
      const anew = await stage.restore([], fresh)
      expect(anew).toMatchObject({ code: 0, error: '' })
      expect(notes(anew)).toMatch(/ww_reader had to be made/)
      expect(await stage.psql('vm-grafana', facts, 'weltenwind')).toBe(asDumped)
      expect(await stage.psql('vm-grafana', properties, 'weltenwind')).toBe(propertiesAsDumped)
    } finally {
      await lab.sh(
        'vm-grafana',
        'systemctl stop postgresql@17-main; systemctl disable --now postgresql; pg_dropcluster 17 main; pg_createcluster 17 main',
      )
    }
  })
})

/** As the role that the provider gives to its customer. */
async function asAdmin(statement: string, database = 'postgres'): Promise<string> {
  const { stdout } = await lab.sh(
    'pg-primary',
    `IFS= read -r PGPASSWORD; export PGPASSWORD; psql -X -q -At -v ON_ERROR_STOP=1 -h 10.10.10.11 -U far_admin -d ${database}`,
    { input: `${farPassword}\n${statement}` },
  )
  return stdout
}

describe('a managed server, by a role that is no superuser', () => {
  const hba = '/etc/postgresql/17/main/pg_hba.conf'
  const far = {
    url: 'env:FAR_URL',
    via: 'pg-primary',
    databases: { cloudy: { owner: 'far_app', environment: 'test' } },
    roles: { far_app: {} },
  }
  const fields = { others: { far } }
  const only = ['--only', 'far/cloudy']
  const standing = `select count(*), (select count(*) from rested), has_table_privilege('far_reader', 'worlds', 'select'),
    (select relowner::regrole from pg_class where relname = 'worlds'), (select defaults -> 'a' from extended)
    from worlds`

  beforeAll(async () => {
    await stage.psql(
      'pg-primary',
      `create role far_admin login createdb createrole password '${farPassword}'`,
    )
    await lab.sh(
      'pg-primary',
      `echo 'host all far_admin 10.10.10.0/24 scram-sha-256' >> ${hba}; systemctl reload postgresql@17-main`,
    )
    await asAdmin(
      `create role far_app; create role far_reader; grant far_app to far_admin; create database cloudy owner far_app`,
    )
    // As a provider may have it: nothing of it is in the dump but that it is there.
    await stage.psql('pg-primary', 'create extension hstore', 'cloudy')
    await asAdmin(
      `set role far_app;
create table worlds as select i as id from generate_series(1, ${rows}) i;
create table extended as select 'a=>1'::hstore as defaults;
create materialized view rested as select id from worlds;
grant select on worlds to far_reader`,
      'cloudy',
    )
  })

  afterAll(async () => {
    await stage.psql(
      'pg-primary',
      String.raw`select format('drop database %I with (force)', datname) from pg_database where datname ~ '^cloudy' \gexec
drop role if exists far_app; drop role if exists far_reader; drop role far_admin`,
    )
    await lab.sh('pg-primary', `sed -i '/far_admin/d' ${hba}; systemctl reload postgresql@17-main`)
  })

  test('made, verified, dropped, restored; and what it may not do is told before', async () => {
    const there = await asAdmin(standing, 'cloudy')
    expect(there).toBe(`${rows}|${rows}|t|far_app|1`)
    expect(await stage.run('backup-now', only, fields)).toMatchObject({ code: 0, error: '' })
    const verified = await stage.run('backup-verify', only, fields)
    expect(verified).toMatchObject({ code: 0, error: '' })
    expect(notes(verified)).not.toMatch(/without owners/)

    await asAdmin('drop database cloudy with (force); revoke far_app from far_admin')
    const strange = await stage.run('backup-verify', only, fields)
    expect(strange).toMatchObject({ code: 0, error: '' })
    expect(notes(strange)).toMatch(/without owners and grants: far_admin on far cannot act as far_app/)
    const restore = () => stage.run('backup-restore', ['--database', 'cloudy', '--yes'], fields)
    expect(await restore()).toMatchObject({
      code: 1,
      error: expect.stringMatching(
        /far_admin on far cannot act as far_app[^]*GRANT "far_app" TO "far_admin"/,
      ),
    })
    await asAdmin('grant far_app to far_admin; drop role far_reader')
    const restored = await restore()
    expect(restored).toMatchObject({ code: 0, error: '' })
    expect(notes(restored)).toMatch(/far_reader had to be made/)
    expect(await asAdmin(standing, 'cloudy')).toBe(there)

    await asAdmin('delete from worlds', 'cloudy')
    expect(await restore()).toMatchObject({ code: 0, error: '' })
    expect(await asAdmin(standing, 'cloudy')).toBe(there)
    expect(await stage.scratches()).toBe('')
  })
})

import { fileURLToPath } from 'node:url'

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import { BackupStage } from './backup-stage.ts'
import { makeBucket, objects, pieces, pipeObject } from './bucket.ts'
import { endpointOf, type Fault, faults } from './faults/store-faults.ts'
import { notes, type Outcome, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'
import { provisionStore, removeStore } from './store.ts'
import { watchHost } from './watch.ts'

const lab = openLab()
const farPassword = 'far-away-secret'
let stage: BackupStage
let closeFaulty: () => Promise<void>
/** What a test does while its task runs; a failure there is the test's. */
const acts: Promise<unknown>[] = []

/** Rows that do not compress: a dump of several parts, more than is ever on its way. */
const manyRows = 400_000

const ledger = `
create schema "Odd ""Schema"".a.b";
create table entries as select i as id, md5(random()::text) || md5(random()::text) || md5(random()::text) || md5(random()::text) as text
  from generate_series(1, ${manyRows}) i;
create table "Odd ""Schema"".a.b"."two
lines.of 'it'" as select generate_series(1, 7) as n;
create table empty (n int);
create table parts (n int) partition by range (n);
create table parts_low partition of parts for values from (0) to (10);
create table parts_high partition of parts for values from (10) to (20);
insert into parts select generate_series(5, 14);
create unlogged table scratch as select 1 as n;
create view seen as select * from entries;
create table _prisma_migrations (migration_name text, logs text, rolled_back_at timestamptz, finished_at timestamptz, started_at timestamptz default now());
insert into _prisma_migrations values ('1_first', null, null, now()), ('2_second', 'it failed', null, null);
select lo_from_bytea(0, convert_to(repeat('a large object', 1000), 'UTF8'));
`

const tables = {
  _prisma_migrations: 2,
  empty: 0,
  entries: manyRows,
  parts: 10,
  scratch: 1,
}
const odd = `"Odd ""Schema"".a.b"."two\nlines.of 'it'"`

const hba = '/etc/postgresql/17/main/pg_hba.conf'

const clear = `cd /
for name in ledger ledger_again modest vanishing; do runuser -u postgres -- dropdb --if-exists --force $name; done
runuser -u postgres -- dropuser --if-exists far_admin
sed -i '/far_admin/d' ${hba}
rm -rf /srv/files
systemctl reload postgresql@17-main`

beforeAll(async () => {
  stage = await BackupStage.open(lab, [
    `FAR_URL=postgresql://far_admin:${farPassword}@10.10.10.11:5432/postgres`,
  ])
  await Promise.all([provisionPostgres(lab), provisionStore(lab)])
  await makeBucket(lab)
  await lab.sh('pg-primary', clear)
  await stage.psql('pg-primary', `create role far_admin login password '${farPassword}'`)
  await stage.psql('pg-primary', 'create database ledger')
  await stage.psql('pg-primary', ledger, 'ledger')
  await stage.psql('pg-primary', 'create database modest')
  await stage.psql('pg-primary', 'create table notes as select generate_series(1, 3) as n', 'modest')
  await lab.sh(
    'pg-primary',
    `echo 'host all far_admin 10.10.10.0/24 scram-sha-256' >> ${hba}
systemctl reload postgresql@17-main
install -d /srv/files/deep; echo one > /srv/files/one; echo two > "/srv/files/deep/it's two"; ln -s one /srv/files/link`,
  )
  const faulty = lab.controller('node', ['--import', 'tsx', 'test/lab/faulty-store.ts'], {
    reject: false,
    buffer: false,
  })
  closeFaulty = async () => {
    faulty.stdin.end()
    await faulty
  }
  await new Promise((resolve) => faulty.stdout.once('data', resolve))
})

afterEach(async () => {
  await Promise.all(acts.splice(0))
})

afterAll(async () => {
  await closeFaulty()
  await lab.sh('pg-primary', clear)
  await removeStore(lab)
  await stage.close()
})

test('a database is in the store with all that its manifest says, and another tool restores it', async () => {
  const { code, error } = await stage.backUp(['--only', 'main/ledger'])
  expect([code, error]).toEqual([0, ''])
  const [{ at, manifest } = expect.fail('no manifest')] = await stage.manifests('postgres/main/ledger')
  expect(await objects(lab, at)).toEqual(
    ['dump.age', 'globals.age', 'manifest.json'].map((name) => at + name),
  )
  expect(manifest).toMatchObject({
    kind: 'postgres',
    owner: 'postgres',
    source: { server: 'pg-primary', role: 'primary' },
    tables: {
      ...Object.fromEntries(Object.entries(tables).map(([name, rows]) => [`public.${name}`, rows])),
      [odd]: 7,
    },
    migrations: { applied: ['1_first'], failed: ['2_second'] },
  })
  const { identity } = await lab.secrets()
  // The line of docs/backup.md.
  const restored = await pipeObject(
    lab,
    'pg-primary',
    `${at}dump.age`,
    `(cd /; umask 077; echo ${identity} > /root/key.txt
runuser -u postgres -- createdb ledger_again
age -d -i /root/key.txt | runuser -u postgres -- pg_restore -d ledger_again --exit-on-error
runuser -u postgres -- psql -X -At -d ledger_again -c 'select count(*), sum(hashtext(text)) from entries' -c 'select sum(n) from parts' -c 'select count(*) from pg_largeobject_metadata'
runuser -u postgres -- dropdb ledger_again)`,
  )
  const there = await stage.psql(
    'pg-primary',
    'select count(*), sum(hashtext(text)) from entries; select sum(n) from parts; select count(*) from pg_largeobject_metadata',
    'ledger',
  )
  expect(restored.trim()).toBe(there.trim())
  const globals = await pipeObject(
    lab,
    'pg-primary',
    `${at}globals.age`,
    'age -d -i /root/key.txt; rm /root/key.txt',
  )
  expect(globals).toContain('CREATE ROLE far_admin')
})

test('one that fails does not stop the others; cron hears nothing of success', async () => {
  const files = { host: 'pg-primary', path: '/srv/files' }
  const folders = [files, { host: 'pg-primary', path: '/srv/none' }]
  const only = ['gone', 'pg-primary:/srv/none', 'pg-primary:/srv/files'].flatMap((name) => ['--only', name])
  const { code, error } = await stage.backUp(only, { folders })
  expect(code).toBe(1)
  expect(error).toMatch(
    /^2 of 3 not backed up:\n- main\/gone: there is no database gone on pg-primary\n- pg-primary:\/srv\/none: there is no folder/,
  )
  const [{ at, manifest } = expect.fail('no manifest')] = await stage.manifests('folder/pg-primary')
  expect(manifest).toMatchObject({ kind: 'folder', path: '/srv/files', files: 3 })
  const { identity } = await lab.secrets()
  const open = `(age -d -i <(echo ${identity}) | tar -t | sort)`
  const listing = await pipeObject(lab, 'pg-primary', `${at}archive.tar.age`, open)
  expect(listing.trim().split('\n')).toEqual(['./', './deep/', "./deep/it's two", './link', './one'])
  const inventory = await stage.write({ folders: [files] })
  const flags = ['--inventory', inventory, '--quiet', '--only', 'pg-primary:/srv/files']
  const quiet = await lab.controller('node', ['--import', 'tsx', 'tasks/backup-now.ts', ...flags])
  expect([quiet.exitCode, quiet.stdout, quiet.stderr]).toEqual([0, '', ''])
})

test('a file that changes while it is read is told, and the rest is there', async () => {
  await lab.sh('pg-primary', 'head -c 30000000 /dev/urandom > /srv/files/busy')
  const folders = [{ host: 'pg-primary', path: '/srv/files' }]
  const outcome = await stage.backUp(
    ['--only', 'pg-primary:/srv/files'],
    { folders, store: { endpoint: endpointOf('slow') } },
    { on: once('Archive', () => lab.sh('pg-primary', 'truncate -s 10M /srv/files/busy')) },
  )
  expect([outcome.code, outcome.error]).toEqual([0, ''])
  expect(notes(outcome)).toMatch(/pg-primary:\/srv\/files: tar: \.\/busy: File shrank by \d+ bytes/)
  await lab.sh('pg-primary', 'rm /srv/files/busy')
})

const whole = ['dump.age', 'globals.age', 'manifest.json']
const outcomes: Record<Exclude<Fault, 'stuck'>, { code: number; says: RegExp; left: string[] }> = {
  full: { code: 1, says: /is full/, left: [] },
  failing: { code: 1, says: /failed\nHTTP 500/, left: [] },
  cut: { code: 3, says: /no answer from bucket .*: (ECONNRESET|EPIPE)/, left: [] },
  'cut-once': { code: 0, says: /^$/, left: whole },
  slow: { code: 0, says: /^$/, left: whole },
  flipping: { code: 1, says: /does not give back what it was given/, left: ['dump.age', 'globals.age'] },
  short: { code: 3, says: /no answer from bucket/, left: ['dump.age', 'globals.age'] },
  'no-manifest': { code: 1, says: /failed\nHTTP 500/, left: ['dump.age', 'globals.age'] },
}

function four(first: number) {
  return faults.filter((fault) => fault !== 'stuck').slice(first, first + 4)
}

// Four at a time: sshd takes ten who are not yet let in.
test.each([{ some: four(0) }, { some: four(4) }])('the store is $some', async ({ some }) => {
  const ran = await Promise.all(
    some.map(async (fault) => {
      const store = { endpoint: endpointOf(fault) }
      const { code, error } = await stage.backUp(['--only', `${fault}/ledger`], { store })
      const keys = await objects(lab, `weltenwind/postgres/${fault}/`)
      return { fault, code, error, left: keys.map((key) => key.split('/').at(-1)) }
    }),
  )
  expect(ran).toEqual(
    some.map((fault) => {
      const { code, says, left } = outcomes[fault]
      return { fault, code, error: expect.stringMatching(says), left }
    }),
  )
  expect(await pieces(lab)).toEqual([])
})

function withStore(store: object, env: Record<string, string> = {}): Promise<Outcome> {
  return stage.backUp(['--only', 'modest'], { store }, { env })
}

test('a store that does not know us, has no bucket, does not listen; a clock that is wrong', async () => {
  const [stranger, nothing, silent, early] = await Promise.all([
    withStore({ secretKey: 'env:PG_APP_PASSWORD' }),
    withStore({ bucket: 'no-such-bucket' }),
    withStore({ endpoint: 'http://192.168.2.20:9' }),
    withStore({}, { NODE_OPTIONS: `--import ${fileURLToPath(new URL('hour-ahead.mjs', import.meta.url))}` }),
  ])
  expect([stranger.code, stranger.error]).toEqual([1, expect.stringMatching(/does not (know our key|let)/)])
  expect([nothing.code, nothing.error]).toEqual([
    2,
    expect.stringMatching(/no bucket no-such-bucket.*\n.*backup-up/),
  ])
  expect([silent.code, silent.error]).toEqual([
    3,
    expect.stringMatching(/no answer from bucket .*ECONNREFUSED/),
  ])
  expect([early.code, early.error]).toEqual([1, expect.stringMatching(/clocks .* too far apart/)])
})

describe('in the middle of an upload', () => {
  const store = { endpoint: endpointOf('slow') }

  async function during(act: () => Promise<unknown>, database = 'ledger') {
    const before = (await stage.manifests(`postgres/main/${database}`)).length
    const outcome = await stage.backUp(['--only', `main/${database}`], { store }, { on: once('Dump', act) })
    const manifests = await stage.manifests(`postgres/main/${database}`)
    return { ...outcome, newest: manifests.at(-1)?.manifest, fresh: manifests.length - before }
  }

  test('rows and tables that come meanwhile are in none of it', async () => {
    const more = 'create table grown (n int); insert into entries select -n from generate_series(1, 9) n'
    const { code, error, newest, fresh } = await during(() => stage.psql('pg-primary', more, 'ledger'))
    expect([code, error, fresh]).toEqual([0, '', 1])
    expect(newest).toMatchObject({ tables: { 'public.entries': manyRows } })
    expect(Object.keys(newest?.kind === 'postgres' ? newest.tables : {})).not.toContain('public.grown')
    await stage.psql('pg-primary', 'drop table grown; delete from entries where id < 0', 'ledger')
  })

  test('pg_dump is killed', async () => {
    const { code, error, fresh } = await during(() => lab.sh('pg-primary', 'pkill -KILL -x pg_dump'))
    expect([code, fresh]).toEqual([1, 0])
    expect(error).toMatch(/main\/ledger: the dump of ledger failed: .*(ended by SIGKILL|exit code 137)/)
    expect(await pieces(lab)).toEqual([])
  })

  test('the database vanishes', async () => {
    await stage.psql('pg-primary', 'create database vanishing template ledger')
    const drop = () => stage.psql('pg-primary', 'drop database vanishing with (force)')
    const { code, error, fresh } = await during(drop, 'vanishing')
    expect([code, fresh]).toEqual([1, 0])
    expect(error).toMatch(/main\/vanishing: [^]*(terminat|closed the connection)/)
    expect(await pieces(lab)).toEqual([])
  })

  test('the connection to the machine is cut', async () => {
    const { code, error, fresh } = await during(() => lab.sh('pg-primary', 'pkill -KILL sshd-session'))
    expect([code, fresh]).toEqual([3, 0])
    expect(error).toMatch(/main\/ledger: pg-primary: the connection was lost/)
    expect(await pieces(lab)).toEqual([])
    await untilNobodyDumps()
  })

  test('Ctrl-C; a second run has not waited', async () => {
    let second: Outcome | undefined
    const before = (await objects(lab)).length
    let interrupted = 0
    const interrupt = once('Dump', async (kill) => {
      second = await stage.backUp(['--only', 'main/ledger'])
      interrupted = Date.now()
      kill('SIGINT')
    })
    const stuck = { store: { endpoint: endpointOf('stuck') } }
    const first = await stage.backUp(['--only', 'main/ledger'], stuck, { on: interrupt })
    expect([second?.code, second?.error]).toEqual([
      75,
      expect.stringMatching(/main\/ledger: backup\/main\/ledger is locked by .*backup-now/),
    ])
    expect([first.code, first.error]).toEqual([130, expect.stringContaining('cancelled by')])
    // Without a word from the store it would be given up after three minutes.
    expect(Date.now() - interrupted).toBeLessThan(30_000)
    expect(await objects(lab)).toHaveLength(before)
    // Swift takes its time over the parts of an object that was whole when it was deleted; an open upload is none.
    expect((await pieces(lab)).filter((piece) => !/\/\d+$/.test(piece))).toEqual([])
  })

  test('kill -9 leaves no backup, and what it leaves does not hinder the next one', async () => {
    const before = (await stage.manifests('postgres/main/ledger')).length
    const kill = once('Dump', async (send) => send('SIGKILL'))
    await stage.backUp(['--only', 'main/ledger'], { store }, { on: kill })
    expect(await stage.manifests('postgres/main/ledger')).toHaveLength(before)
    expect(await pieces(lab)).not.toEqual([])
    await untilNobodyDumps()
    const next = await stage.backUp(['--only', 'main/ledger'])
    expect([next.code, next.error]).toEqual([0, ''])
    expect(await stage.manifests('postgres/main/ledger')).toHaveLength(before + 1)
  })
})

test('a standby is dumped as long as it is close', async () => {
  const backup = { source: 'standby' }
  const close = await stage.backUp(['--only', 'main/ledger'], backup)
  expect([close.code, close.error]).toEqual([0, ''])
  const newest = async () => (await stage.manifests('postgres/main/ledger')).at(-1)?.manifest
  expect(await newest()).toMatchObject({
    source: { server: 'pg-replica', role: 'standby', behind: expect.any(Number) },
    // An unlogged table has no rows there.
    tables: { 'public.entries': manyRows, 'public.scratch': 0 },
  })
  await stage.psql('pg-replica', 'select pg_wal_replay_pause()')
  try {
    const record = `pg_logical_emit_message(false, 'lab', repeat('x', 1000000))`
    await stage.psql('pg-primary', `select max(${record}) from generate_series(1, 70)`)
    const far = await stage.backUp(['--only', 'main/ledger'], backup)
    expect([far.code, far.error]).toEqual([0, ''])
    expect(notes(far)).toMatch(/the primary is dumped: pg-replica is [\d.]+ MB of WAL behind, more than/)
    expect(await newest()).toMatchObject({ source: { server: 'pg-primary', role: 'primary' } })
  } finally {
    await stage.psql('pg-replica', 'select pg_wal_replay_resume()')
  }
})

test('a server behind a URL is dumped from the machine that reaches it; its password is seen nowhere', async () => {
  const refused = await stage.backUp(['--only', 'far/modest'])
  expect([refused.code, refused.error]).toEqual([
    1,
    expect.stringMatching(/may not read all of modest: public\.notes/),
  ])
  await stage.psql('pg-primary', 'grant pg_read_all_data to far_admin')
  const watch = await watchHost(lab, 'pg-primary')
  const { code, error } = await stage.backUp(['--only', 'far/modest'])
  const seen = await watch.stop()
  expect([code, error]).toEqual([0, ''])
  expect(seen).toContain('pg_dump')
  expect(seen).not.toContain(farPassword)
  const [{ manifest } = expect.fail('no manifest')] = await stage.manifests('postgres/far/modest')
  expect(manifest).toMatchObject({
    tables: { 'public.notes': 3 },
    source: { server: 'far', role: 'primary' },
  })
})

/** Does something once, when a step has been at work for a while. */
function once(step: string, act: (kill: (signal: NodeJS.Signals) => void) => Promise<unknown>): Watch {
  let done = false
  return (line, kill) => {
    if (done || line.event !== 'progress' || !line.title?.startsWith(step)) return
    done = true
    acts.push(act(kill))
  }
}

async function untilNobodyDumps(): Promise<void> {
  await lab.sh('pg-primary', 'while pgrep -x pg_dump > /dev/null; do sleep 0.2; done')
}

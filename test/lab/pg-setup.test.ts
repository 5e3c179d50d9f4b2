import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { ClusterStage, counts, detailOf } from './cluster-stage.ts'
import { notes, type Outcome } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'

const lab = openLab()
const conf = '/etc/postgresql/15/main/conf.d/hausmeister.conf'
const hba = '/etc/postgresql/15/main/pg_hba.conf'
let stage: ClusterStage

/** Done, and it had nothing to do. */
function expectNothingChanged(outcome: Outcome): void {
  expect(outcome).toMatchObject({ code: 0, error: '' })
  expect(counts(outcome).changed).toBe(0)
  expect(counts(outcome).unchanged).toBeGreaterThan(5)
}

/** Packages, files and processes of PostgreSQL on a machine. */
async function everything(host: string): Promise<string> {
  const script = `dpkg -l | md5sum
    find /etc /var/lib/postgresql -type f -printf '%p %T@\\n' 2> /dev/null | sort
    pgrep -a postgres | grep -e ' -D ' || true`
  return (await lab.sh(host, script)).stdout
}

/** Ends the program itself, as `kill -9` does, as soon as its command runs on the machine. */
async function killedDuring(title: string, command: string): Promise<Outcome> {
  let hunt: Promise<void> | undefined
  const run = await stage.run(
    'pg-setup',
    [],
    {},
    {
      on: (line, kill) => {
        if (line.state !== 'started' || line.title?.startsWith(title) !== true) return
        hunt = expect
          .poll(async () => (await lab.sh('spare-1', `pgrep -x ${command}`, { nothrow: true })).exitCode, {
            interval: 20,
            timeout: 30_000,
          })
          .toBe(0)
          .then(() => kill('SIGKILL'))
      },
    },
  )
  await hunt
  return run
}

describe('bare machines, PostgreSQL 15', () => {
  beforeAll(async () => {
    stage = await ClusterStage.open(lab, ['spare-1'])
    await Promise.all(['spare-1', 'spare-2'].map((host) => stage.makeBare(host)))
  })
  afterAll(async () => {
    await Promise.all(['spare-1', 'spare-2'].map((host) => stage.makeBare(host)))
    await stage.close()
  })

  test('what is in the way is found before anything is changed', async () => {
    const before = await everything('spare-1')
    const unknown = await stage.run('pg-setup', ['--dry-run'], { version: 31 })
    expect(unknown).toMatchObject({
      code: 1,
      error: expect.stringMatching(/apt on spare-1 knows no package postgresql-31/),
    })
    const locale = await stage.run('pg-setup', [], { locale: 'de_DE.UTF-8' })
    expect(locale).toMatchObject({
      code: 2,
      error: expect.stringMatching(/spare-1 has no locale de_DE\.UTF-8/),
    })

    await lab.sh('spare-1', 'systemd-run --quiet --unit=squatter python3 -m http.server 5432')
    await expect.poll(async () => (await lab.sh('spare-1', 'ss -Hltn sport = :5432')).stdout).not.toBe('')
    const taken = await stage.run('pg-setup')
    expect(taken).toMatchObject({
      code: 1,
      error: expect.stringMatching(/port 5432 on spare-1 is taken by python3 \(pid \d+\)/),
    })
    await lab.sh('spare-1', 'systemctl stop squatter')

    const managed = await stage.run('pg-setup', ['--cluster', 'other'])
    expect(managed).toMatchObject({ code: 2, error: expect.stringMatching(/no PostgreSQL cluster "other"/) })
    expect(await everything('spare-1')).toBe(before)
  })

  test('a dry run tells of everything and does nothing', async () => {
    const before = await everything('spare-1')
    const dry = await stage.run('pg-setup', ['--dry-run'])
    expect(dry).toMatchObject({ code: 0, error: '' })
    const would = dry.events
      .filter(({ state }) => state === 'would')
      .map(({ command, input }) => `${command}\n${input}`)
    for (const part of [
      'apt-get install postgresql-15',
      'pg_createcluster --port 5432',
      'systemctl start postgresql@15-main',
      'create role "ww_app" login password',
      'create database "weltenwind" owner "ww_app"',
      '192.168.2.14/32',
    ]) {
      expect(would.join('\n')).toContain(part)
    }
    expect(counts(dry).changed).toBe(0)
    expect(await everything('spare-1')).toBe(before)
  })

  test('killed while it installs, and while it makes the server: the next run finishes', async () => {
    expect((await killedDuring('Have postgresql-15', 'dpkg')).code).toBeNull()
    expect((await killedDuring('Make the server', 'initdb')).code).toBeNull()

    const whole = await stage.run('pg-setup')
    expect(whole).toMatchObject({ code: 0, error: '' })
    expect(detailOf(whole, /^Prove/)).toBe('3 allowed logins got in, 4 others were refused')
    expectNothingChanged(await stage.run('pg-setup'))
  })

  test('what it has set up is there: settings, checksums, roles, databases, mark', async () => {
    const settings = await stage.psql(
      'spare-1',
      `select name || '=' || setting from pg_settings where name in
        ('listen_addresses', 'port', 'wal_level', 'wal_log_hints', 'password_encryption', 'max_connections', 'data_checksums')
        order by 1`,
    )
    expect(settings.split('\n')).toEqual([
      'data_checksums=on',
      'listen_addresses=*',
      'max_connections=100',
      'password_encryption=scram-sha-256',
      'port=5432',
      'wal_level=replica',
      'wal_log_hints=on',
    ])
    expect(await stage.psql('spare-1', 'select count(*) from pg_settings where pending_restart')).toBe('0')
    const databases = `select datname, pg_get_userbyid(datdba), shobj_description(oid, 'pg_database')
      from pg_database where datname like 'welt%' order by 1`
    expect(await stage.psql('spare-1', databases)).toBe(
      'weltenwind|ww_app|[hausmeister environment=development]\nweltenwind_shadow|ww_app|',
    )
    expect(
      await stage.psql('spare-1', "select rolreplication from pg_roles where rolname = 'replicator'"),
    ).toBe('t')
    const { stdout } = await lab.sh('spare-1', 'systemctl is-enabled postgresql; stat -c %U:%a ' + hba)
    expect(stdout).toBe('enabled\npostgres:640')
  })

  test('a wrong password is corrected, and the right one is in no log, journal or output', async () => {
    await stage.psql(
      'spare-1',
      `alter system set log_statement = 'all'; select pg_reload_conf(); alter role ww_app password 'wrong'; alter database weltenwind owner to postgres`,
    )
    const run = await stage.run('pg-setup', ['--verbose'])
    expect(run).toMatchObject({ code: 0, error: '' })
    expect(counts(run).changed).toBe(2)
    const { app } = await lab.secrets()
    const log = await lab.sh(
      'spare-1',
      'cat /var/log/postgresql/postgresql-15-main.log; journalctl --no-pager -q',
    )
    expect(log.stdout).toMatch(/alter role "ww_app" password 'SCRAM-SHA-256/)
    expect(log.stdout).not.toContain(app)
    const told = JSON.stringify(run.events)
    expect(told).not.toContain(app)
    expect(told).not.toMatch(/SCRAM-SHA-256\$/)
    await stage.psql('spare-1', 'alter system reset log_statement; select pg_reload_conf()')
    expectNothingChanged(await stage.run('pg-setup'))
  })

  test('of two runs at once one works, and the other one says who has the lock', async () => {
    const runs = await Promise.all([stage.run('pg-setup'), stage.run('pg-setup')])
    const codes = runs.map(({ code }) => Number(code)).toSorted((a, b) => a - b)
    // Where the second one came late, the first one was done.
    expect(
      [
        [0, 75],
        [0, 0],
      ].map(String),
    ).toContain(String(codes))
    const locked = runs.find(({ code }) => code === 75)
    if (locked) expect(locked.error).toMatch(/pg-cluster\/main is locked by \S+: pg-setup/)
    const held = await lab.sh(
      'spare-1',
      `mkdir -p /run/lock/hausmeister; cd /run/lock/hausmeister
      echo '{"who":"anna@desk","task":"pg-setup","since":"2026-11-24T12:00:00Z"}' > pg-cluster.main
      systemd-run --quiet --unit=holder flock /run/lock/hausmeister/pg-cluster.main sleep 300`,
    )
    expect(held.exitCode).toBe(0)
    await expect
      .poll(
        async () =>
          (await lab.sh('spare-1', 'flock -n /run/lock/hausmeister/pg-cluster.main true', { nothrow: true }))
            .exitCode,
      )
      .toBe(1)
    const second = await stage.run('pg-setup')
    await lab.sh('spare-1', 'systemctl stop holder')
    expect(second).toMatchObject({ code: 75, error: expect.stringMatching(/locked by anna@desk: pg-setup/) })
  })

  test('a database of another locale, or of another environment, is refused', async () => {
    const locale = await stage.run('pg-setup', [], { locale: 'POSIX' })
    expect(locale).toMatchObject({
      code: 2,
      error: expect.stringMatching(
        /weltenwind on spare-1 has the locale C\.UTF-8, and postgres\.main\.locale is POSIX/,
      ),
    })
    await stage.psql('spare-1', "comment on database weltenwind is '[hausmeister environment=production]'")
    const environment = await stage.run('pg-setup')
    await stage.psql('spare-1', "comment on database weltenwind is '[hausmeister environment=development]'")
    expect(environment).toMatchObject({
      code: 2,
      error: expect.stringMatching(/itself says that it is production/),
    })
    const version = await stage.run('pg-setup', [], { version: 17 })
    expect(version).toMatchObject({
      code: 1,
      error: expect.stringMatching(/spare-1 has PostgreSQL 15 on port 5432/),
    })
  })

  test('a setting by hand is kept; one against what is needed is named; a file that does not parse, too', async () => {
    const own = '/etc/postgresql/15/main/conf.d/own.conf'
    const write = (text: string) => lab.sh('spare-1', `cat > ${own}`, { input: `${text}\n` })
    await write('work_mem = 7MB')
    const kept = await stage.run('pg-setup')
    expect(kept).toMatchObject({ code: 0, error: '' })
    expect(notes(kept)).toMatch(
      /set by hand on spare-1, and kept: work_mem = 7MB \(\/etc.*own\.conf line 1\)/,
    )
    expect(await stage.psql('spare-1', 'show work_mem')).toBe('7MB')
    await write('wal_log_hints = off')
    const against = await stage.run('pg-setup')
    expect(against.error).toMatch(/against what is needed: wal_log_hints = 'off' in \/etc.*own\.conf line 1/)
    await write('shared_buffers = plenty')
    const broken = await stage.run('pg-setup')
    expect(broken.error).toMatch(/would not come up with its files as they are: .*shared_buffers.*plenty/)
    await lab.sh('spare-1', `rm ${own}`)
    const back = await stage.run('pg-setup')
    expect(back).toMatchObject({ code: 0, error: '' })
    expect(await stage.psql('spare-1', 'show work_mem')).not.toBe('7MB')
  })

  test('a server that does not come up with its new settings gets the old ones back', async () => {
    const limit = '/etc/systemd/system/postgresql@.service.d'
    await lab.sh(
      'spare-1',
      `sed -i 's/^shared_buffers = .*/shared_buffers = 64MB/' ${conf}
      mkdir -p ${limit}; printf '[Service]\\nLimitAS=1G\\n' > ${limit}/limit.conf; systemctl daemon-reload
      systemctl restart postgresql@15-main`,
    )
    const failed = await stage.run('pg-setup', ['--yes'])
    expect(failed).toMatchObject({
      code: 1,
      error: expect.stringMatching(
        /did not come up with shared_buffers .*; the old settings are back, and it is running/,
      ),
    })
    expect(failed.error).toMatch(/Cannot allocate memory/)
    expect(await stage.psql('spare-1', 'show shared_buffers')).toBe('64MB')
    await lab.sh('spare-1', `rm -r ${limit}; systemctl daemon-reload`)

    const session = stage.psql('spare-1', 'select pg_sleep(300)').catch(String)
    await expect
      .poll(() =>
        stage.psql(
          'spare-1',
          "select count(*) from pg_stat_activity where query like '%pg_sleep(300)%' and pid <> pg_backend_pid()",
        ),
      )
      .toBe('1')
    const asked = await stage.run('pg-setup')
    expect(asked).toMatchObject({ code: 2 })
    expect(await stage.psql('spare-1', 'show shared_buffers')).toBe('64MB')
    const done = await stage.run('pg-setup', ['--yes'])
    expect(done).toMatchObject({ code: 0, error: '' })
    expect(notes(done)).toMatch(/spare-1 takes a restart for shared_buffers; connected clients: 1/)
    expect(await session).toMatch(/terminating connection|server closed/)
    expectNothingChanged(await stage.run('pg-setup'))
  })

  test('a second machine is prepared for a standby, and takes no writes', async () => {
    const hosts = ['spare-2', 'spare-1']
    const run = await stage.run('pg-setup', [], { hosts })
    expect(run).toMatchObject({ code: 0, error: '' })
    expect(notes(run)).toMatch(/the server on spare-2 is not running; it waits for being made a standby/)
    const { stdout } = await lab.sh(
      'spare-2',
      `pg_lsclusters -h | awk '{ print $1, $2, $4 }'
      tail -n 1 /etc/postgresql/15/main/start.conf; grep -c 'replication *replicator' ${hba}
      systemctl restart postgresql; pgrep -c postgres || true`,
    )
    expect(stdout).toBe('15 main down\nmanual\n4\n0')
    expectNothingChanged(await stage.run('pg-setup', [], { hosts }))
  })
})

describe('a server that was set up by hand, PostgreSQL 17, with its standby', () => {
  const files = '/etc/postgresql/17/main/conf.d /etc/postgresql/17/main/pg_hba.conf'

  beforeAll(async () => {
    await provisionPostgres(lab)
    stage = await ClusterStage.open(lab, ['pg-primary', 'pg-replica'])
    for (const host of ['pg-primary', 'pg-replica'])
      await lab.sh(host, `tar -C / -cf /root/before.tar ${files}`)
  })
  afterAll(async () => {
    for (const host of ['pg-primary', 'pg-replica']) {
      await lab.sh(
        host,
        `cd / && rm -f /etc/postgresql/17/main/conf.d/hausmeister.conf && tar -xf /root/before.tar && rm /root/before.tar
        systemctl restart postgresql@17-main`,
      )
    }
    await stage.psql('pg-primary', 'comment on database weltenwind is null')
    await provisionPostgres(lab)
    await stage.close()
  })

  test('it keeps what is there, proves the rules, and has nothing to do the second time', async () => {
    const before = await lab.sh(
      'pg-primary',
      `cat /etc/postgresql/17/main/conf.d/lab.conf; grep -A9 '^# lab$' /etc/postgresql/17/main/pg_hba.conf`,
    )
    const access = ['weltenwind', 'weltenwind_shadow'].flatMap((database) =>
      ['internal', 'lan'].map((from) => ({ role: 'ww_app', database, from })),
    )
    const run = await stage.run('pg-setup', ['--yes'], { version: 17, access })
    expect(run).toMatchObject({ code: 0, error: '' })
    expect(detailOf(run, /^Prove/)).toBe('4 allowed logins got in, 4 others were refused')
    expect(notes(run)).toMatch(
      /set by hand on pg-primary, and kept: listen_addresses = \* .*wal_level = replica/,
    )
    const after = await lab.sh(
      'pg-primary',
      `cat /etc/postgresql/17/main/conf.d/lab.conf; grep -A9 '^# lab$' /etc/postgresql/17/main/pg_hba.conf`,
    )
    expect(after.stdout).toBe(before.stdout)
    expect(await stage.psql('pg-replica', 'select pg_is_in_recovery()')).toBe('t')
    expectNothingChanged(await stage.run('pg-setup', [], { version: 17, access }))
  })
})

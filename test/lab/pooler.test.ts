import { readFile } from 'node:fs/promises'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { Stage } from './faults/stage.ts'
import { begins, changes, type Outcome, runTask, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { folder, look, query, resetPooler, startLoad } from './pooler.ts'
import { provisionPostgres } from './postgres.ts'
import { watchController, watchHost } from './watch.ts'
import { makeOldSchema } from './weltenwind-faults.ts'
import { placeWeltenwind } from './weltenwind.ts'

const lab = openLab()
let stage: Stage

beforeAll(async () => {
  await provisionPostgres(lab)
  await placeWeltenwind(lab)
  await resetPooler(lab)
  stage = await Stage.withPrisma(lab)
  await stage.dropAll()
  await makeOldSchema(lab)
}, 300_000)
afterAll(async () => {
  await resetPooler(lab)
  await lab.sh('vm-assets', 'systemctl disable --now --quiet pgbouncer')
  await stage.dropAll()
  await stage.close()
})

function pgPooler(flags: string[] = [], on?: Watch): Promise<Outcome> {
  return runTask(lab, 'pg-pooler', ['--inventory', stage.inventory, '--cluster', 'main', ...flags], { on })
}

async function filesOn(host: string, path: string): Promise<string> {
  const { stdout } = await lab.sh(host, `cd ${path}; ls -ln --time-style=+; md5sum *`)
  return stdout
}

/** The lab's inventory with other facts of the pooler. */
async function withPooler(entry: Record<string, unknown>): Promise<void> {
  const inventory: { postgres: { main: { pooler: unknown } } } = JSON.parse(
    await readFile(lab.files.inventory, 'utf8'),
  )
  inventory.postgres.main.pooler = entry
  await stage.writeInventory(inventory)
}

describe("in the app's compose file", () => {
  const entry = { runtime: 'compose', app: 'weltenwind', service: 'pgbouncer', directory: folder }

  test('a dry run changes nothing', async () => {
    const before = await filesOn('vm-app', folder)
    const { code, error } = await pgPooler(['--dry-run'])
    expect({ code, error }).toEqual({ code: 0, error: '' })
    expect(await filesOn('vm-app', folder)).toBe(before)
  })

  test('is brought to the inventory, keeps what is not ours, and drops no client', async () => {
    await lab.sh(
      'vm-app',
      `cd ${folder}; sed -i 's/^.pgbouncer.$/&\\n; by hand\\nstats_users = grafana/' pgbouncer.ini; echo '"grafana" "by hand"' >> userlist.txt`,
    )
    const meanwhile = query(
      lab,
      `begin; create temp table t as select 7 as seven;
\\! touch /run/lab-open; until [ -e /run/lab-go ]; do sleep 0.05; done
select 'kept ' || seven from t; commit;`,
    )
    await lab.sh('vm-app', 'until [ -e /run/lab-open ]; do sleep 0.05; done')
    const { code, error, events } = await pgPooler()
    await lab.sh('vm-app', 'touch /run/lab-go')
    expect({ code, error }).toEqual({ code: 0, error: '' })
    expect(await meanwhile).toBe('kept 7')
    await lab.sh('vm-app', 'rm /run/lab-open /run/lab-go')
    expect(events.map(({ text = '' }) => text).join('\n')).toMatch(
      /PgBouncer \d.*1 pool\n +weltenwind as ww_app/,
    )
    expect(await look(lab, 'show config')).toMatch(/^max_prepared_statements\|200\|/m)
    expect(await look(lab, 'show config')).toMatch(/^stats_users\|grafana, hausmeister\|/m)
    const { stdout } = await lab.sh('vm-app', `cd ${folder}; cat *.ini userlist.txt`)
    expect(stdout).toMatch(/^; by hand$/m)
    expect(stdout).toMatch(/^"grafana" "by hand"$/m)
    expect(stdout).toMatch(/^"ww_app" "SCRAM-SHA-256\$/m)
  })

  test('again: nothing to do', async () => {
    const before = await filesOn('vm-app', folder)
    const outcome = await pgPooler()
    expect({ code: outcome.code, changed: changes(outcome) }).toEqual({ code: 0, changed: 0 })
    expect(await filesOn('vm-app', folder)).toBe(before)
  })

  test('a configuration that pgbouncer does not take: its own words, and the old files are back', async () => {
    await lab.sh('vm-app', `echo 'pool_mod = wrong' >> ${folder}/pgbouncer.ini`)
    const before = await filesOn('vm-app', folder)
    await withPooler({ ...entry, poolSize: 3 })
    const { code, error } = await pgPooler()
    expect({ code, error }).toEqual({
      code: 1,
      error: expect.stringMatching(
        /does not take its configuration[^]*are back[^]*unknown parameter: pgbouncer\/pool_mod/,
      ),
    })
    expect(await filesOn('vm-app', folder)).toBe(before)
    expect(await query(lab, 'select 1;')).toBe('1')
    await lab.sh('vm-app', `sed -i '/pool_mod =/d' ${folder}/pgbouncer.ini`)
    await withPooler(entry)
    expect(await pgPooler()).toMatchObject({ code: 0, error: '' })
  })

  test('two runs at once: one of them is told', async () => {
    const both = await Promise.all([pgPooler(), pgPooler()])
    expect(both.map(({ code }) => code).toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 75])
  })

  test('killed with -9 when its files are written: the next run finishes', async () => {
    await withPooler({ ...entry, poolSize: 9 })
    await pgPooler([], (line, kill) => void (begins('Bring pgbouncer', line) && kill('SIGKILL')))
    expect(await query(lab, 'select 1;')).toBe('1')
    expect(await pgPooler()).toMatchObject({ code: 0, error: '' })
    expect(await look(lab, 'show config')).toMatch(/^default_pool_size\|9\|/m)
  })

  test('no secret is in a command line, in what is printed, or open to others', async () => {
    await withPooler(entry)
    const { app } = await lab.secrets()
    const { stdout: list } = await lab.sh('vm-app', `cat ${folder}/userlist.txt`)
    const secrets = [app, ...[...list.matchAll(/^".*" "(.*)"$/gm)].map(([, secret = '']) => secret)]
    const watches = await Promise.all([
      watchController(lab),
      watchHost(lab, 'vm-app'),
      watchHost(lab, 'pg-primary'),
    ])
    const outcome = await pgPooler(['--verbose'])
    const seen = (await Promise.all(watches.map((watch) => watch.stop()))).join('\n')
    expect(outcome.code).toBe(0)
    const all = seen + JSON.stringify(outcome.events)
    expect(all).toContain('/srv/weltenwind/pgbouncer')
    expect(secrets.length).toBeGreaterThan(3)
    // Not by toContain: its complaint would print the secret.
    expect(secrets.map((secret) => all.includes(secret))).toEqual(secrets.map(() => false))
    const { stdout } = await lab.sh('vm-app', `stat -c %a ${folder}/userlist.txt`)
    expect(stdout.trim()).toBe('600')
  })
})

describe('pg-reset pauses it', () => {
  beforeAll(async () => expect(await pgPooler()).toMatchObject({ code: 0, error: '' }))

  test('clients that connect all the time wait, and none fails', async () => {
    const load = await startLoad(lab)
    const outcome = await stage.pgReset(['--yes'])
    const { failures, answers, longest } = await load.stop()
    expect(outcome).toMatchObject({ code: 0, error: '' })
    expect({ failures }).toEqual({ failures: [] })
    expect(answers).toBeGreaterThan(20)
    expect(longest).toBeLessThan(20_000)
  })

  test('and back', async () => {
    const load = await startLoad(lab)
    expect(await stage.pgReset(['--undo', '--yes'])).toMatchObject({ code: 0, error: '' })
    expect((await load.stop()).failures).toEqual([])
    expect(await query(lab, 'select count(*) from worlds;')).toBe('2')
  })

  test('killed with -9 while it is paused: its own machine resumes it', async () => {
    await stage.pgReset(['--yes'], (line, kill) => void (begins('End the sessions', line) && kill('SIGKILL')))
    await expect.poll(() => look(lab, 'show state'), { timeout: 10_000 }).toMatch(/^active\|yes\npaused\|no/)
    expect(await stage.leftovers('vm-app')).toEqual([])
    expect(await stage.pgReset(['--undo'])).toMatchObject({ code: 0, error: '' })
    await expect.poll(() => query(lab, 'select count(*) from worlds;'), { timeout: 10_000 }).toBe('2')
  })

  test('Ctrl-C while it is paused: the old database is back before it goes on', async () => {
    const load = await startLoad(lab)
    const { code } = await stage.pgReset(
      ['--yes'],
      (line, kill) => void (begins('Rename', line) && kill('SIGINT')),
    )
    const { failures } = await load.stop()
    expect({ code, failures }).toEqual({ code: 130, failures: [] })
    expect(await look(lab, 'show state')).toMatch(/^active\|yes\npaused\|no/)
    expect(await query(lab, 'select count(*) from worlds;')).toBe('2')
  })

  test('its cable is cut while it is paused: its own machine resumes it within half a minute', async () => {
    let cut: Promise<void> | undefined
    const reset = stage.pgReset(['--yes'], (line) => {
      if (begins('Close the door', line)) cut = lab.cut('vm-app')
    })
    await expect.poll(() => cut !== undefined, { timeout: 20_000 }).toBe(true)
    await cut
    await expect
      .poll(() => look(lab, 'show state'), { timeout: 40_000, interval: 500 })
      .toMatch(/^active\|yes/)
    await lab.mend('vm-app')
    const { code } = await reset
    if (code !== 0) expect((await stage.pgReset(['--undo', '--yes'])).code).toBe(0)
    expect(await stage.whereOldDataIs()).toBeUndefined()
  })
})

describe('as a service of a machine', () => {
  const entry = { runtime: 'systemd', host: 'vm-assets' }
  beforeAll(() => withPooler(entry))

  test('a port that something else has: refused, and nothing is changed', async () => {
    const before = await filesOn('vm-assets', '/etc/pgbouncer')
    await lab.sh(
      'vm-assets',
      "systemd-run -q --collect --unit=lab-squatter perl -MIO::Socket::INET -e 'push @open, IO::Socket::INET->new(Listen => 1, LocalPort => 6432); sleep 600'",
    )
    await lab.sh('vm-assets', 'until ss -Hltn "sport = :6432" | grep -q .; do sleep 0.05; done')
    const { code, error } = await pgPooler()
    await lab.sh('vm-assets', 'systemctl stop lab-squatter')
    expect({ code, error }).toEqual({
      code: 1,
      error: expect.stringMatching(/port 6432 of vm-assets is taken by perl \(pid \d+\)/),
    })
    expect(await filesOn('vm-assets', '/etc/pgbouncer')).toBe(before)
  })

  test('is started, also at boot; clients of another machine come through; again: nothing to do', async () => {
    const first = await pgPooler()
    expect(first).toMatchObject({ code: 0, error: '' })
    expect(
      first.events.some(
        ({ title }) => title === 'Log in as ww_app through pgbouncer on vm-assets from vm-app',
      ),
    ).toBe(true)
    const { stdout } = await lab.sh(
      'vm-assets',
      'systemctl is-active pgbouncer; systemctl is-enabled pgbouncer',
    )
    expect(stdout).toBe('active\nenabled')
    const second = await pgPooler()
    expect({ code: second.code, changed: changes(second) }).toEqual({ code: 0, changed: 0 })
  })

  test('what it takes at its start only: started anew, as nobody is connected', async () => {
    await withPooler({ ...entry, port: 6433 })
    const outcome = await pgPooler()
    expect(outcome).toMatchObject({ code: 0, error: '' })
    await withPooler(entry)
    expect(await pgPooler()).toMatchObject({ code: 0, error: '' })
  })

  test('a configuration it cannot start with: its own words, and the old files are back', async () => {
    await lab.sh(
      'vm-assets',
      `systemctl stop pgbouncer; echo 'default_pool_size = many' >> /etc/pgbouncer/pgbouncer.ini`,
    )
    const before = await filesOn('vm-assets', '/etc/pgbouncer')
    await withPooler({ ...entry, poolSize: 5 })
    const { code, error } = await pgPooler()
    expect({ code, error }).toEqual({
      code: 1,
      error: expect.stringMatching(/invalid value "many" for parameter default_pool_size/),
    })
    expect(await filesOn('vm-assets', '/etc/pgbouncer')).toBe(before)
    await lab.sh('vm-assets', `sed -i '/= many/d' /etc/pgbouncer/pgbouncer.ini`)
    await withPooler(entry)
    expect(await pgPooler()).toMatchObject({ code: 0, error: '' })
  })

  test('not installed, and no package to be had', async () => {
    await lab.sh('vm-assets', 'mv /usr/sbin/pgbouncer /usr/sbin/pgbouncer.away')
    const { code, error } = await pgPooler()
    await lab.sh('vm-assets', 'mv /usr/sbin/pgbouncer.away /usr/sbin/pgbouncer')
    expect({ code, error }).toEqual({
      code: 1,
      error: expect.stringMatching(/pgbouncer on vm-assets is not there/),
    })
  })

  test('a database that the server does not have', async () => {
    await stage.dropAll()
    await lab.sh(
      'pg-primary',
      'cd /; runuser -u postgres -- psql -X -q -c "alter database weltenwind rename to elsewhere"',
    )
    const { code, error } = await pgPooler()
    await lab.sh(
      'pg-primary',
      'cd /; runuser -u postgres -- psql -X -q -c "alter database elsewhere rename to weltenwind"',
    )
    expect({ code, error }).toEqual({
      code: 2,
      error: expect.stringMatching(/no database weltenwind on pg-primary/),
    })
  })
})

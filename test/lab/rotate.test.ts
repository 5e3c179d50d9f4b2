import { readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { parse } from 'dotenv'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { Stage } from './faults/stage.ts'
import { begins, type Outcome, runTask, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { resetPooler } from './pooler.ts'
import { provisionPostgres } from './postgres.ts'
import { watchController, watchHost } from './watch.ts'
import { placeWeltenwind } from './weltenwind.ts'

const lab = openLab()
let stage: Stage
let env: string

beforeAll(async () => {
  await provisionPostgres(lab)
  await placeWeltenwind(lab)
  await resetPooler(lab)
  stage = await Stage.withPrisma(lab)
  env = join(dirname(stage.inventory), '.env')
  await stage.dropAll()
  expect(await stage.pgReset(['--yes'])).toMatchObject({ code: 0, error: '' })
}, 300_000)
afterAll(async () => {
  const { replication } = await lab.secrets()
  await lab.sh(
    'pg-replica',
    `read -r password; cd ~postgres; [ ! -e .pgpass ] || echo "*:*:*:replicator:$password" > .pgpass`,
    { input: `${replication}\n` },
  )
  await provisionPostgres(lab)
  await resetPooler(lab)
  await stage.dropAll()
  await stage.close()
}, 120_000)

function rotate(role: string, flags: string[] = [], on?: Watch): Promise<Outcome> {
  const given = ['--inventory', stage.inventory, '--cluster', 'main', '--role', role, ...flags]
  return runTask(lab, 'pg-rotate', given, { on })
}

async function variables(): Promise<Record<string, string>> {
  return parse(await readFile(env))
}

async function health(): Promise<string> {
  const { stdout } = await lab.sh(
    'pve',
    "curl -s -m 9 -o /dev/null -w '%{http_code}' http://10.10.10.14:3000/api/health",
  )
  return stdout
}

async function ask(sql: string): Promise<string> {
  const { stdout } = await lab.sh('pg-primary', 'cd /; runuser -u postgres -- psql -X -At -d weltenwind', {
    input: sql,
  })
  return stdout
}

/** Everything that a rotation changes, in a form that tells two states apart. */
async function state(): Promise<string> {
  const { stdout } = await lab.sh(
    'vm-app',
    'cd /srv/weltenwind; stat -c "%n %a %u %y" src/.env pgbouncer/userlist.txt; md5sum src/.env pgbouncer/userlist.txt; docker ps -q --no-trunc',
  )
  return [stdout, await readFile(env, 'utf8'), await ask('select rolname, rolpassword from pg_authid')].join(
    '\n',
  )
}

async function logsIn(password: string | undefined): Promise<boolean> {
  const script =
    'read -r PGPASSWORD; export PGPASSWORD; psql -X -h 10.10.10.11 -U ww_app -d weltenwind -c "select 1"'
  const { exitCode } = await lab.sh('vm-app', script, { input: `${password ?? ''}\n`, nothrow: true })
  return exitCode === 0
}

test('a dry run changes nothing', async () => {
  const before = await state()
  expect(await rotate('ww_app', ['--dry-run'])).toMatchObject({ code: 0, error: '' })
  expect(await state()).toBe(before)
})

test('a new password everywhere, the rest of each file as it was, and no secret is seen', async () => {
  await writeFile(env, `# by hand\n${await readFile(env, 'utf8')}OTHER='x y' # mine\n`)
  await lab.sh('vm-app', `echo 'TOKEN="a b" # mine' >> /srv/weltenwind/src/.env`)
  const { PG_APP_PASSWORD: old = '' } = await variables()
  const watches = await Promise.all([
    watchController(lab),
    watchHost(lab, 'vm-app'),
    watchHost(lab, 'pg-primary'),
  ])
  const outcome = await rotate('ww_app', ['--verbose'])
  const seen = (await Promise.all(watches.map((watch) => watch.stop()))).join('\n')
  expect(outcome).toMatchObject({ code: 0, error: '' })
  const { PG_APP_PASSWORD: fresh = '', ...others } = await variables()
  expect(fresh).toMatch(/^[\w-]{32}$/)
  expect(others).not.toHaveProperty('PG_APP_PASSWORD_PREVIOUS')
  expect(await readFile(env, 'utf8')).toMatch(/^# by hand\n[^]*^OTHER='x y' # mine$/m)
  expect((await stat(env)).mode & 0o777).toBe(0o600)
  const { stdout } = await lab.sh(
    'vm-app',
    'stat -c %a:%u /srv/weltenwind/src/.env; cat /srv/weltenwind/src/.env',
  )
  expect(stdout).toMatch(/^600:1000\n[^]*^REDIS_URL=redis:\/\/redis:6379$[^]*^TOKEN="a b" # mine$/m)
  expect([await logsIn(old), await logsIn(fresh)]).toEqual([false, true])
  expect(await health()).toBe('200')
  const log = await lab.sh('pg-primary', 'cat /var/log/postgresql/*.log; journalctl --no-pager -a -o cat')
  const app = await lab.sh('vm-app', 'journalctl --no-pager -a -o cat')
  const all = [seen, JSON.stringify(outcome.events), log.stdout, app.stdout].join('\n')
  const verifier = await ask("select rolpassword from pg_authid where rolname = 'ww_app'")
  expect(all).toContain('alter role')
  // Not by toContain: its complaint would print the secret.
  expect([old, fresh, verifier].map((secret) => all.includes(secret))).toEqual([false, false, false])
})

test('killed with -9 at each step: nothing is lost, and the next run goes on with the same password', async () => {
  const { PG_APP_PASSWORD: old } = await variables()
  const steps = ['Give PostgreSQL', 'Give pgbouncer', 'Restart', 'Forget']
  let made: string | undefined
  for (const step of steps) {
    await rotate('ww_app', [], (line, kill) => void (begins(step, line) && kill('SIGKILL')))
    const now = await variables()
    // Killed at the last step, it may have been through before the signal came.
    if (step === 'Forget' && now['PG_APP_PASSWORD_PREVIOUS'] === undefined) break
    made ??= now['PG_APP_PASSWORD']
    expect([now['PG_APP_PASSWORD'] === made, now['PG_APP_PASSWORD_PREVIOUS'] === old]).toEqual([true, true])
  }
  const { PG_APP_PASSWORD_PREVIOUS: left } = await variables()
  if (left !== undefined) expect(await rotate('ww_app')).toMatchObject({ code: 0, error: '' })
  const { PG_APP_PASSWORD: fresh } = await variables()
  expect([fresh === made, await logsIn(old), await logsIn(fresh)]).toEqual([true, false, true])
  expect(await health()).toBe('200')
})

test('Ctrl-C: says which place has which password; two runs at once: one of them finishes it', async () => {
  const stopped = await rotate(
    'ww_app',
    [],
    (line, kill) => void (begins('Give /src', line) && kill('SIGINT')),
  )
  expect(stopped.code).toBe(130)
  expect(stopped.error).toMatch(
    /PostgreSQL on pg-primary: the new one\n.*pgbouncer.*: the new one\n.*\/src\/\.env on vm-app.*: the (old|new) one[^]*pg-rotate/,
  )
  const both = await Promise.all([rotate('ww_app'), rotate('ww_app')])
  expect(both.map(({ code }) => code).toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 75])
  expect(await variables()).not.toHaveProperty('PG_APP_PASSWORD_PREVIOUS')
  expect(await health()).toBe('200')
})

test('the cable is cut between server and pooler: told, and finished by the next run', async () => {
  let cables: Promise<void> | undefined
  const { code, error } = await rotate('ww_app', [], (line) => {
    if (begins('Give pgbouncer', line)) cables = lab.cut('vm-app')
    if (begins('Look which place', line)) cables = cables?.then(() => lab.mend('vm-app'))
  })
  await cables
  expect({ code, error }).toEqual({
    code: 3,
    error: expect.stringMatching(
      /PostgreSQL on pg-primary: the new one\n.*pgbouncer.*: (the (old|new) one|not known)/,
    ),
  })
  expect(await rotate('ww_app')).toMatchObject({ code: 0, error: '' })
  expect(await health()).toBe('200')
})

test('an app that does not come back well: told, and finished by the next run', async () => {
  await ask('alter table page_permissions rename to away')
  const { code, error } = await rotate('ww_app')
  await ask('alter table away rename to page_permissions')
  expect({ code, error }).toEqual({
    code: 1,
    error: expect.stringMatching(/api\/health is not well after 30 s: 500[^]*\/src\/\.env.*: the new one/),
  })
  expect(await rotate('ww_app')).toMatchObject({ code: 0, error: '' })
})

test('the role of the standbys: they follow with the new password', async () => {
  const { PG_REPLICATION_PASSWORD: old } = await variables()
  expect(await rotate('replicator')).toMatchObject({ code: 0, error: '' })
  const { PG_REPLICATION_PASSWORD: fresh } = await variables()
  expect(fresh === old).toBe(false)
  const { stdout } = await lab.sh('pg-replica', 'stat -c %a:%U ~postgres/.pgpass; wc -l < ~postgres/.pgpass')
  expect(stdout).toBe('600:postgres\n1')
  await ask('create table rotated as select 1 as one')
  const read = 'cd /; runuser -u postgres -- psql -X -At -d weltenwind -c "select one from rotated"'
  await expect
    .poll(async () => (await lab.sh('pg-replica', read, { nothrow: true })).stdout, { timeout: 20_000 })
    .toBe('1')
})

test('a role that the inventory does not have', async () => {
  expect(await rotate('ww_ap')).toMatchObject({
    code: 2,
    error: expect.stringMatching(/no role "ww_ap" with a password; there are: ww_app, replicator/),
  })
})

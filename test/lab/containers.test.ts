import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { parse } from 'dotenv'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { makeBucket, objects } from './bucket.ts'
import { asOps, type BoxSecrets, host, placeBoxes, removeBoxes } from './containers.ts'
import { begins, changes, notes, type Outcome, runTask, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionStore, removeStore } from './store.ts'
import { onTerminal } from './terminal.ts'

const lab = openLab()
const made = (): string => randomBytes(12).toString('hex')
const secrets: BoxSecrets = { production: made(), development: made(), compose: made() }
let folder = ''
let inventory = ''

function podman(name: string) {
  return { container: { runtime: 'podman', host, name } }
}

const clusters = {
  production: {
    ...podman('seaser-postgres'),
    databases: { rezepte: { owner: 'rezepte', environment: 'production' } },
    roles: { rezepte: { password: 'env:BOX_PRODUCTION' } },
  },
  development: {
    ...podman('seaser-postgres-dev'),
    databases: { rezepte_dev: { owner: 'rezepte', environment: 'development' } },
    roles: { rezepte: { password: 'env:BOX_DEVELOPMENT' } },
  },
  compose: {
    container: { runtime: 'compose', host, directory: '/srv/box', service: 'db' },
    databases: { rezepte: { owner: 'rezepte', shadow: 'rezepte_shadow', environment: 'development' } },
    roles: { rezepte: { password: 'env:BOX_COMPOSE' } },
  },
}

const apps = {
  production: {
    environment: 'production',
    host,
    runtime: 'podman',
    container: 'seaser-rezept-tagebuch',
    database: { cluster: 'production', name: 'rezepte' },
    envFile: '/srv/rezept/production.env',
    health: 'http://10.10.10.14:8091/',
  },
  development: {
    environment: 'development',
    host,
    runtime: 'podman',
    container: 'seaser-rezept-tagebuch-dev',
    database: { cluster: 'development', name: 'rezepte_dev' },
    migrate: 'node /usr/src/rezept/migrate.mjs',
    seed: 'node /usr/src/rezept/migrate.mjs seed',
    envFile: '/srv/rezept/development.env',
    health: 'http://10.10.10.14:8092/',
  },
  compose: {
    environment: 'development',
    host,
    runtime: 'compose',
    directory: '/srv/box',
    service: 'app',
    database: { cluster: 'compose', name: 'rezepte' },
    migrate: 'npx prisma migrate deploy',
    seed: 'npx prisma db seed',
    migrations: 'prisma/migrations',
    envFile: '.env',
    health: 'http://10.10.10.14:8093/',
  },
}

async function write(postgres: Record<string, unknown> = clusters): Promise<void> {
  const { hosts, networks, estate, backup } = JSON.parse(await readFile(lab.files.inventory, 'utf8'))
  await writeFile(inventory, JSON.stringify({ estate, networks, hosts, postgres, apps, backup }))
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-box-'))
  inventory = join(folder, 'inventory.json')
  await write()
  const { production, development, compose } = secrets
  const lines = [`BOX_PRODUCTION=${production}`, `BOX_DEVELOPMENT=${development}`, `BOX_COMPOSE=${compose}`]
  await writeFile(join(folder, '.env'), `${await readFile(lab.files.env, 'utf8')}${lines.join('\n')}\n`, {
    mode: 0o600,
  })
  await placeBoxes(lab, secrets, (line) => console.log(line))
})

afterAll(async () => {
  await removeBoxes(lab)
  await rm(folder, { recursive: true, force: true })
})

function run(task: string, flags: string[], on?: Watch): Promise<Outcome> {
  return runTask(lab, task, ['--inventory', inventory, ...flags], { on })
}

const dev = ['--database', 'rezepte_dev']
const composed = ['--database', 'compose/rezepte']

async function status(port: number): Promise<string> {
  const { stdout } = await lab.sh(
    host,
    `curl -s -m 9 -o /dev/null -w '%{http_code}' http://10.10.10.14:${port}/`,
    { nothrow: true },
  )
  return stdout
}

function ask(sql: string, database = 'rezepte_dev'): Promise<string> {
  return asOps(lab, `podman exec seaser-postgres-dev psql -U rezepte -d ${database} -At -c "${sql}"`)
}

/** From another container of the network, as apps come in. */
async function getsIn(password: string | undefined): Promise<boolean> {
  const client = `import pg from 'pg'
const client = new pg.Client({ host: 'seaser-postgres-dev', user: 'rezepte', database: 'rezepte_dev', password: '${password}' })
client.connect().then(() => console.log('in'), () => console.log('out')).then(() => process.exit())`
  const { stdout } = await lab.sh(
    host,
    `cd /; runuser -u ops -- env XDG_RUNTIME_DIR=/run/user/1000 podman exec -i seaser-rezept-tagebuch-dev node --input-type=module`,
    { input: client },
  )
  return stdout.trim() === 'in'
}

function restartServer(): Promise<string> {
  return asOps(lab, 'systemctl --user restart container-seaser-postgres-dev')
}

async function variables(): Promise<Record<string, string>> {
  return parse(await readFile(join(folder, '.env')))
}

test('pg-status of all three', async () => {
  const outcome = await run('pg-status', [])
  expect({ code: outcome.code, error: outcome.error }).toEqual({ code: 0, error: '' })
  const told = JSON.stringify(outcome.events.filter(({ event }) => event === 'data'))
  for (const name of ['container seaser-postgres', 'container seaser-postgres-dev', 'service db']) {
    expect(told).toContain(`${host} (${name})`)
  }
})

describe('under rootless podman', () => {
  test('pg-migrate and pg-seed', async () => {
    expect(await run('pg-migrate', dev)).toMatchObject({ code: 0, error: '' })
    expect(await run('pg-seed', dev)).toMatchObject({ code: 0, error: '' })
    expect(await ask('select count(*) from recipe')).toBe('3')
  })

  test('pg-reset, with the app connected', async () => {
    await ask("insert into recipe values (99, 'old')")
    const outcome = await run('pg-reset', [...dev, '--yes'])
    expect(outcome).toMatchObject({ code: 0, error: '' })
    expect(JSON.stringify(outcome.events)).toMatch(/rezepte logged in from vm-app and sees 1 tables/)
    expect(await ask('select max(id) from recipe')).toBe('3')
    await expect.poll(() => status(8092), { timeout: 20_000 }).toBe('200')
  })

  test('restarted in the middle of a reset: the same run puts the old one back', async () => {
    await ask("insert into recipe values (99, 'old')")
    let restart: Promise<string> | undefined
    const { code, error } = await run('pg-reset', [...dev, '--yes'], (line) => {
      if (begins('Migrate', line)) restart = restartServer()
    })
    await restart
    expect({ code, error }).toEqual({ code: 1, error: expect.stringContaining('rezepte_dev is back') })
    expect(await ask('select max(id) from recipe')).toBe('99')
  })

  test('killed with -9 and the container restarted: the next run names what repairs it, and that does', async () => {
    await run('pg-reset', [...dev, '--yes'], (line, kill) => void (begins('Seed', line) && kill('SIGKILL')))
    await restartServer()
    await expect.poll(() => ask('select 1', 'postgres').catch(() => ''), { timeout: 20_000 }).toBe('1')
    const next = await run('pg-reset', [...dev, '--yes'])
    expect(next).toMatchObject({ code: 1, error: expect.stringContaining('--undo') })
    expect(await run('pg-reset', [...dev, '--undo', '--yes'])).toMatchObject({ code: 0, error: '' })
    expect(await ask('select max(id) from recipe')).toBe('99')
  })

  test('pg-rotate: the variable of the app and its container have the new one, the old one is refused', async () => {
    const outcome = await run('pg-rotate', ['--cluster', 'development', '--role', 'rezepte'])
    expect(outcome).toMatchObject({ code: 0, error: '' })
    const { BOX_DEVELOPMENT: fresh } = await variables()
    expect(fresh === secrets.development).toBe(false)
    const { stdout } = await lab.sh(host, 'cat /srv/rezept/development.env')
    expect(parse(stdout)['POSTGRES_PASSWORD'] === fresh).toBe(true)
    expect([await getsIn(secrets.development), await getsIn(fresh)]).toEqual([false, true])
    expect(await status(8092)).toBe('200')
    const all = JSON.stringify(outcome.events)
    expect([secrets.development, fresh ?? ''].map((secret) => all.includes(secret))).toEqual([false, false])
  })

  test('pg-rotate of an app whose container nobody makes anew: refused before anything is changed', async () => {
    const { code, error } = await run('pg-rotate', ['--cluster', 'production', '--role', 'rezepte'])
    expect({ code, error }).toEqual({
      code: 1,
      error: expect.stringMatching(
        /app production .* seaser-rezept-tagebuch was made with, which a restart keeps[^]*podman generate systemd --new/,
      ),
    })
    expect((await variables())['BOX_PRODUCTION'] === secrets.production).toBe(true)
    expect(await status(8091)).toBe('200')
  })
})

async function typesIn(database: string, prompt: RegExp): Promise<void> {
  const shell = onTerminal(
    lab,
    `node --import tsx tasks/pg-shell.ts --inventory ${inventory} --database ${database}`,
  )
  try {
    await shell.until(prompt)
    shell.type("select 'gr' || 'ün', current_user;\r")
    await shell.until(/grün +\| +rezepte[^]*=# $/)
    shell.type('select pg_sleep(600);\r')
    await shell.until(/600\);\s/)
    // Again, when the server was not at it yet.
    await expect
      .poll(
        () => {
          shell.type('\u0003')
          return shell.screen()
        },
        { timeout: 30_000, interval: 500 },
      )
      .toMatch(/canceling statement/)
    // The line before, by a key of readline's that leaves a container's terminal otherwise.
    shell.type('\u0015\u0010')
    await shell.until(/pg_sleep\(600\);$/)
    shell.type('\u0015\\q\r')
    await shell.until(/ended with 0/)
  } finally {
    shell.kill('SIGKILL')
  }
}

test('pg-shell, inside of a container of both kinds', async () => {
  await typesIn('development/rezepte_dev', /development rezepte_dev@vm-app[^\n]*=# $/)
  await typesIn('compose/rezepte', /development rezepte@vm-app[^\n]*=# $/)
})

describe('by docker compose', () => {
  test('pg-migrate, and again: nothing is pending; pg-drift', async () => {
    expect(await run('pg-migrate', composed)).toMatchObject({ code: 0, error: '' })
    const again = await run('pg-migrate', composed)
    expect({ code: again.code, changed: changes(again) }).toEqual({ code: 0, changed: 0 })
    expect(await run('pg-drift', [...composed, '--yes'])).toMatchObject({ code: 0, error: '' })
  })

  test('pg-rotate: up -d makes the container anew', async () => {
    expect(await run('pg-rotate', ['--cluster', 'compose', '--role', 'rezepte'])).toMatchObject({
      code: 0,
      error: '',
    })
    const { BOX_COMPOSE: fresh = '' } = await variables()
    const { stdout } = await lab.sh(host, 'cat /srv/box/.env')
    const { POSTGRES_PASSWORD, DIRECT_URL = '' } = parse(stdout)
    expect([POSTGRES_PASSWORD === fresh, DIRECT_URL.includes(`:${fresh}@`)]).toEqual([true, true])
    expect(await status(8093)).toBe('200')
  })

  test('the service is stopped', async () => {
    await lab.sh(host, 'cd /srv/box && docker compose stop db')
    const { code, error } = await run('pg-reset', [...composed, '--yes'])
    await lab.sh(host, 'cd /srv/box && docker compose up -d --wait db')
    expect({ code, error }).toEqual({
      code: 1,
      error: `vm-app (service db) does not run (exited, exit code 0)\non vm-app as ops: cd /srv/box && docker compose up -d db`,
    })
  })
})

/** Nothing of a task that was killed runs on in a container. */
async function untilNothingRuns(): Promise<void> {
  await lab.sh(host, `while pgrep -x 'pg_dump|pg_restore|psql' > /dev/null; do sleep 0.2; done`, {
    timeout: 20_000,
  })
}

describe('backups', () => {
  const both = ['--only', 'development/rezepte_dev', '--only', 'compose/rezepte']
  /** The restore of the materialized view waits while there is a role of that name. */
  const content = `drop table if exists recipe cascade;
create table recipe as select i as id, md5(i::text) as name from generate_series(1, 5000) i;
create function nap() returns int language plpgsql as 'begin
  while exists (select from pg_roles where rolname = ''napping'') loop perform pg_sleep(0.1); end loop; return 1; end';
create materialized view rested as select public.nap() as n, id from recipe;`
  const facts = 'select count(*), sum(hashtext(name)), (select sum(n) from rested) from recipe'
  let dumped = ''

  beforeAll(async () => {
    await provisionStore(lab)
    await makeBucket(lab)
    await Promise.all([
      asOps(
        lab,
        `podman exec -i seaser-postgres-dev psql -q -U rezepte -d rezepte_dev <<'SQL'\n${content}\nSQL`,
      ),
      asOps(
        lab,
        `cd /srv/box; docker compose exec -T db psql -q -U rezepte -d rezepte <<'SQL'\n${content}\nSQL`,
      ),
    ])
    dumped = await ask(facts)
  })

  afterAll(() => removeStore(lab))

  test('of podman and of compose: made and verified', async () => {
    expect(await run('backup-now', both)).toMatchObject({ code: 0, error: '' })
    expect(await run('backup-verify', both)).toMatchObject({ code: 0, error: '' })
    expect(await objects(lab, 'weltenwind/postgres/compose/rezepte/')).toContainEqual(
      expect.stringMatching(/verified/),
    )
  })

  test('killed with -9 while it is dumped: nothing runs on, nothing is in the store', async () => {
    const before = await objects(lab)
    const locked = ask('begin; lock table recipe; select pg_sleep(600)').catch(() => '')
    const killed = await run('backup-now', ['--only', 'development/rezepte_dev'], (line, kill) => {
      if (!begins('Dump', line)) return
      const waiting = `select count(*) from pg_stat_activity where wait_event_type = 'Lock'`
      // Both pg_dump and the counting of rows.
      void expect
        .poll(() => ask(waiting), { timeout: 20_000 })
        .toBe('2')
        .then(() => kill('SIGKILL'))
    })
    await ask(`select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'`)
    await locked
    expect(killed.code).toBeNull()
    await untilNothingRuns()
    expect(await objects(lab)).toEqual(before)
  })

  test('dropped; killed with -9 while it is restored; then every row is back', async () => {
    await ask('create role napping', 'postgres')
    await ask('drop database rezepte_dev with (force)', 'postgres')
    await asOps(
      lab,
      `cd /srv/box; docker compose exec -T db psql -q -U rezepte -d postgres -c 'drop database rezepte with (force)'`,
    )
    const killed = await run('backup-restore', [...dev, '--yes'], (line, kill) => {
      if (!begins('Restore', line)) return
      const restoring = `select count(*) from pg_stat_activity where query ~ '^REFRESH' and datname ~ '__restore_'`
      void expect
        .poll(() => ask(restoring, 'postgres'), { timeout: 20_000 })
        .toBe('1')
        .then(() => kill('SIGKILL'))
    })
    expect(killed.code).toBeNull()
    await untilNothingRuns()
    await ask('drop role napping', 'postgres')

    const [again, other] = await Promise.all([
      run('backup-restore', [...dev, '--yes']),
      run('backup-restore', [...composed, '--yes']),
    ])
    expect(again).toMatchObject({ code: 0, error: '' })
    expect(other).toMatchObject({ code: 0, error: '' })
    expect(again.events.some((line) => begins('Drop rezepte_dev__restore_', line))).toBe(true)
    expect(await ask(facts)).toBe(dumped)
    const composeFacts = `docker compose exec -T db psql -U rezepte -d rezepte -At -c "${facts}"`
    expect((await asOps(lab, `cd /srv/box; ${composeFacts}`)).trim()).toBe(dumped)
    await expect.poll(() => status(8092), { timeout: 20_000 }).toBe('200')
    // A server that is a container's first process takes the death of any orphan by a signal for a crash of its own.
    const logs = 'podman logs seaser-postgres-dev 2>&1; cd /srv/box; docker compose logs db'
    expect(await asOps(lab, `(${logs}) | grep 'was terminated by signal' || true`)).toBe('')
  })
})

describe('what stands in the way', () => {
  test('a container that is stopped, a unit that is stopped, and a user without lingering', async () => {
    await asOps(lab, 'podman stop seaser-postgres; systemctl --user stop container-seaser-postgres-dev')
    const [plain, unit] = await Promise.all([
      run('pg-reset', ['--database', 'production/rezepte', '--undo', '--yes', '--confirm', 'rezepte']),
      run('pg-migrate', dev),
    ])
    expect(plain.error).toMatch(
      /does not run \(exited, exit code \d+\)\non vm-app as ops: podman start seaser-postgres$/,
    )
    expect(unit.error).toBe(
      'vm-app (container seaser-postgres-dev) is not there\n' +
        'on vm-app as ops: systemctl --user start container-seaser-postgres-dev.service',
    )
    await asOps(lab, 'sudo loginctl disable-linger ops')
    const lingerless = await run('pg-status', ['--cluster', 'production'])
    await asOps(
      lab,
      'sudo loginctl enable-linger ops && systemctl --user start container-seaser-postgres-dev; podman start seaser-postgres',
    )
    expect({ code: lingerless.code, error: lingerless.error }).toEqual({
      code: 3,
      error: expect.stringMatching(
        /ops has no lingering there.*sudo loginctl enable-linger ops && podman start seaser-postgres/,
      ),
    })
  })

  test('a wrong name', async () => {
    await write({ ...clusters, development: { ...clusters.development, ...podman('seaser-postgres-dv') } })
    const wrong = await run('pg-seed', dev)
    await write()
    expect({ code: wrong.code, error: wrong.error }).toEqual({
      code: 2,
      error: expect.stringContaining(
        'ops has no container "seaser-postgres-dv" on vm-app. Did you mean "seaser-postgres-dev"?',
      ),
    })
  })

  test('what only machines can do says so in one line, and changes nothing', async () => {
    for (const task of ['pg-setup', 'pg-pooler']) {
      const outcome = await run(task, ['--cluster', 'development'])
      expect(outcome).toMatchObject({
        code: 2,
        error: expect.stringMatching(/^development runs in a container: .*$/),
      })
      expect(notes(outcome)).toBe('')
    }
  })
})

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'

import { runTask } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'
import { onTerminal, type TypedRun } from './terminal.ts'
import { watchHost } from './watch.ts'

const lab = openLab()
let folder: string
let inventory: string
const runs: TypedRun[] = []

beforeAll(async () => {
  await provisionPostgres(lab)
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-shell-'))
  inventory = join(folder, 'inventory.json')
  const estate = JSON.parse(await readFile(lab.files.inventory, 'utf8'))
  const { version, roles } = estate.postgres.main
  const weltenwind = { owner: 'ww_app', environment: 'production' }
  // The same server, as somebody knows it who has no machine of it.
  estate.postgres.here = { version, url: 'env:HERE_URL', via: 'workstation', roles, databases: {} }
  estate.postgres.cloud = { version, url: 'env:CLOUD_URL', via: 'vm-app', roles, databases: { weltenwind } }
  await writeFile(inventory, JSON.stringify(estate))
  const { app } = await lab.secrets()
  const url = (address: string) => `postgresql://ww_app:${app}@${address}:5432/weltenwind`
  const urls = `CLOUD_URL=${url('10.10.10.11')}\nHERE_URL=${url('192.168.2.11')}\n`
  const env = `${await readFile(lab.files.env, 'utf8')}\n${urls}`
  await writeFile(join(folder, '.env'), env, { mode: 0o600 })
})
afterEach(async () => {
  for (const run of runs.splice(0)) run.kill('SIGKILL')
  await lab.mend('pg-primary')
  await untilGone('pg-primary')
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const prompt = /weltenwind@pg-primary=# $/

/** The task on a terminal, and its process number. */
async function open(
  flags: string,
  ready: RegExp,
  path = '',
): Promise<{ run: TypedRun; before: string; pid: number }> {
  const node = `node --import tsx tasks/pg-shell.ts --inventory ${inventory} ${flags}`
  const run = onTerminal(lab, `bash -c 'echo "number $$"; export PATH=${path}$PATH; exec ${node}'`)
  runs.push(run)
  const pid = Number((await run.until(/number \d+\s/)).match(/\d+\s*$/)?.[0])
  const before = await run.settings()
  await run.until(ready)
  return { run, before, pid }
}

async function psqls(host: string): Promise<string> {
  return (await lab.sh(host, 'pgrep -x psql', { nothrow: true })).stdout.trim()
}

async function untilGone(host: string): Promise<void> {
  await vi.waitUntil(async () => (await psqls(host)) === '', { timeout: 60_000, interval: 100 })
}

/** All command lines on a machine meanwhile. */
async function watched(host: string, work: () => Promise<void>): Promise<string> {
  const watch = await watchHost(lab, host)
  let seen = ''
  try {
    await work()
  } finally {
    seen = await watch.stop()
  }
  return seen
}

/** In one, because readline writes the prompt anew while one types. */
function after(answer: RegExp, ready: RegExp): RegExp {
  return new RegExp(`${answer.source}[^]*${ready.source}`)
}

/** Cancels a query that would take ten minutes, once the server is at it. */
async function interrupt(run: TypedRun, ready: RegExp): Promise<void> {
  run.type('select pg_sleep(600);\r')
  const asleep = `cd /; runuser -u postgres -- psql -X -At -c "select count(*) from pg_stat_activity
    where application_name = 'hausmeister-shell' and wait_event = 'PgSleep'"`
  await vi.waitUntil(async () => (await lab.sh('pg-primary', asleep)).stdout.trim() === '1', {
    timeout: 60_000,
    interval: 100,
  })
  run.type('\u0003')
  await run.until(after(/canceling statement due to user request/, ready))
}

test('a terminal of a machine where sudo wants a password', async () => {
  const { sudo } = await lab.secrets()
  let typed = ''
  const seen = await watched('pg-primary', async () => {
    const { run, before } = await open('--database main/weltenwind', prompt)
    expect(run.raw()).toContain('\u001b[1;32mdevelopment weltenwind@pg-primary=#\u001b[0m')
    expect(run.screen()).not.toContain('password-')
    run.type("select 6 * 7 as answer, 'ü€' as letters;\r")
    await run.until(after(/42 \| ü€/, prompt))
    run.type('\\! id -un; stty size\r')
    await run.until(after(/\npostgres\s+30 100\s/, prompt))
    await run.resize(40, 120)
    run.type('\\! stty size\r')
    await run.until(/\n40 120\s/)
    await interrupt(run, prompt)
    // Ctrl-Z would stop psql where nobody can let it go on.
    run.type('\u001a')
    // The arrow up brings the last statement but one back.
    run.type('\u001b[A\u001b[A\r')
    await run.until(/\n40 120\s/)
    run.type('select generate_series(1, 1000);\r')
    await run.until(/\n *37\s+:$/)
    run.type('q')
    await run.until(prompt)
    run.type('\u0004')
    await run.until(/pg-shell: done[^]*ended with 0\s/)
    expect((await run.settings()).replace('rows 40; columns 120', 'rows 30; columns 100')).toBe(before)
    typed = run.raw()
  })
  expect(seen).toMatch(/sudo -k -S -p password-\S+ -H -u postgres -- bash/)
  expect([seen, typed].map((text) => text.includes(sudo))).toEqual([false, false])
})

test('the journal has that it was opened, and nothing of what was typed', async () => {
  const journal = join(lab.files.home, '.local/state/hausmeister/journal')
  const texts = await Promise.all(
    (await readdir(journal)).map((file) => readFile(join(journal, file), 'utf8')),
  )
  const entries = texts.flatMap((text) =>
    text.split('\n').filter((line) => line.includes('"task":"pg-shell"')),
  )
  const opened = entries.filter((line) => line.includes('"event":"change"'))
  expect(JSON.parse(opened.at(-1) ?? '{}')).toMatchObject({
    state: 'done',
    host: 'pg-primary',
    user: 'postgres',
    command: "psql -p 5432 -d dbname='weltenwind'",
  })
  expect(entries.join('')).not.toContain('generate_series')
})

test('a managed server, on the machine that reaches it; SIGTERM gives the terminal back', async () => {
  const { app } = await lab.secrets()
  const ready = /weltenwind@cloud=> $/
  let typed = ''
  const seen = await watched('vm-app', async () => {
    const { run, before, pid } = await open('--cluster cloud --database weltenwind', ready)
    expect(run.raw()).toContain('\u001b[1;31mproduction weltenwind@cloud=>\u001b[0m')
    expect(run.screen()).toMatch(/weltenwind is production: what you type is done at once/)
    run.type('select current_user, inet_client_addr();\r')
    await run.until(after(/ww_app +\| 10\.10\.10\.14/, ready))
    await interrupt(run, ready)
    process.kill(pid, 'SIGTERM')
    await run.until(/cancelled by SIGTERM[^]*ended with 130\s/)
    expect(await run.settings()).toBe(before)
    await untilGone('vm-app')
    typed = run.raw()
  })
  expect(seen).toMatch(/psql postgresql:\/\/ww_app@10\.10\.10\.11:5432\/weltenwind/)
  expect([seen, typed].map((text) => text.includes(app))).toEqual([false, false])
})

test('on this computer itself the terminal is the program’s own, and Ctrl-C too', async () => {
  const { app } = await lab.secrets()
  const psql = `#!/bin/bash
trap caught=yes INT
[ -t 0 ] && echo "a password of \${#PGPASSWORD} letters"
until [ "$caught" ]; do sleep 0.1; done
echo caught
stty size
exit 5
`
  await writeFile(join(folder, 'psql'), psql, { mode: 0o755 })
  const { run, before } = await open('--cluster here', /a password of \d+ letters/, `${folder}:`)
  expect(run.screen()).toContain(`a password of ${app.length} letters`)
  run.type('\u0003')
  await run.until(/caught\s+30 100\s[^]*psql on here ended with exit code 5[^]*ended with 1\s/)
  expect(await run.settings()).toBe(before)
})

test('killed with -9; the cable cut in the middle; and while that is not noticed: what is refused', async () => {
  const ready = /postgres@pg-primary=# $/
  const [killed, { run, before }] = await Promise.all([
    open('--cluster main', ready),
    open('--cluster main', ready),
  ])
  process.kill(killed.pid, 'SIGKILL')
  await vi.waitUntil(async () => /^\d+$/.test(await psqls('pg-primary')), { timeout: 60_000, interval: 100 })
  await lab.cut('pg-primary')
  run.type('select 1;\r')

  const flags = ['--inventory', inventory, '--cluster', 'cloud']
  const asked = await runTask(lab, 'pg-shell', flags)
  expect([asked.code, asked.error]).toEqual([
    2,
    'pg-shell gives the terminal to a program, of which there is no JSON: leave out --json',
  ])
  const piped = await lab.controller('node', ['--import', 'tsx', 'tasks/pg-shell.ts', ...flags], {
    reject: false,
    input: 'select 1',
  })
  expect(piped.exitCode).toBe(2)
  expect(piped.stderr).toContain('stdin and stdout are not both one')

  await run.until(/pg-primary: the connection was lost[^]*ended with 3\s/)
  expect(await run.settings()).toBe(before)
  await lab.mend('pg-primary')
  await untilGone('pg-primary')
})

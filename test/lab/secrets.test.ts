import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { Stage } from './faults/stage.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'
import { watchController, watchHost } from './watch.ts'

const lab = openLab()
let stage: Stage
/** In every form in which it might travel; of letters, digits, - and _ alone, so a URL has them as they are. */
let secrets: string[]
const seen = { controller: '', primary: '', app: '' }
const printed: Record<string, string> = {}

async function run(...flags: string[]): Promise<string> {
  const words = ['--import', 'tsx', 'tasks/pg-reset.ts', '--inventory', stage.inventory, '--yes', ...flags]
  const { all } = await lab.controller('node', [...words, '--database', 'weltenwind'], {
    reject: false,
    stdin: 'ignore',
    all: true,
  })
  return all
}

/** Prints the password as careless tools do when they cannot connect, and in the middle of other text. */
const careless = `#!/bin/sh
. ./env
echo "connecting to postgres://ww_app:$PGPASSWORD@10.10.10.11/weltenwind"
echo "P1001: password=$PGPASSWORD; is it right?" >&2
exit 1
`

beforeAll(async () => {
  await provisionPostgres(lab)
  stage = await Stage.open(lab)
  await stage.reset()
  const { sudo, app } = await lab.secrets()
  secrets = [sudo, app].flatMap((secret) => [secret, Buffer.from(secret).toString('base64')])

  const [controller, primary, onApp] = await Promise.all([
    watchController(lab),
    watchHost(lab, 'pg-primary'),
    watchHost(lab, 'vm-app'),
  ])
  printed['plain'] = await run()
  printed['--verbose'] = await run('--verbose')
  await stage.script('seed', careless)
  printed['--json'] = await run('--json')
  Object.assign(seen, {
    controller: await controller.stop(),
    primary: await primary.stop(),
    app: await onApp.stop(),
  })
})
afterAll(async () => {
  await stage.reset()
  await stage.close()
})

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8)
}

function expectNoSecret(text: string): void {
  // Not by toContain: its complaint would print the secret.
  expect(secrets.map((secret) => text.includes(secret))).toEqual(secrets.map(() => false))
}

describe('the command lines of all processes, during three whole runs', () => {
  test('on the workstation of the operator', () => {
    expect(seen.controller).toMatch(/tasks\/pg-reset\.ts/)
    expectNoSecret(seen.controller)
  })

  test('on the database host, where sudo wants a password', () => {
    expect(seen.primary).toMatch(/sudo -k -S .* -u postgres/)
    expect(seen.primary).toMatch(/psql -X -q -A -t/)
    expectNoSecret(seen.primary)
  })

  test('on the host of the app', () => {
    expect(seen.app).toMatch(/hausmeister-guard/)
    expect(seen.app).toMatch(/\.\/seed/)
    expectNoSecret(seen.app)
  })
})

describe('what was printed', () => {
  test('plain and --verbose', () => {
    expect(printed['plain']).toMatch(/pg-reset: done in/)
    expect(printed['--verbose']).toMatch(/create database "weltenwind"|psql postgres/)
    expectNoSecret(`${printed['plain']}${printed['--verbose']}`)
  })

  test('--json, with a seed that prints its password', () => {
    expectNoSecret(printed['--json'] ?? '')
    expect(printed['--json']).toContain('password=•••; is it right?')
    expect(printed['--json']).toContain('postgres://ww_app:•••@10.10.10.11/weltenwind')
  })
})

test('the journal is for its owner only, and holds none', async () => {
  const folder = join(lab.files.home, '.local/state/hausmeister/journal')
  expect(await modeOf(folder)).toBe('700')
  const files = (await readdir(folder)).map((file) => join(folder, file))
  expect(await Promise.all(files.map((file) => modeOf(file)))).toEqual(files.map(() => '600'))
  const text = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('')
  // Whole files: this lab's other tests have written there too.
  expect(text.includes('./seed   # vm-app, /srv/light')).toBe(true)
  expect(text.includes('"outcome":"failed"')).toBe(true)
  expectNoSecret(text)
})

test.each(['pg-primary', 'vm-app', 'pve'])('the logs and left files of %s hold none', async (host) => {
  // The patterns come on stdin and reach grep by a pipe, so that this search is in no command line itself.
  const script = `set -u
patterns=$(cat)
places=$(ls -d /var/log /tmp /var/tmp /run /root /home)
find $places -xdev -type f ! -path '/run/credentials/*' -exec grep -aslF -f <(printf '%s\\n' "$patterns") {} +
journalctl --no-pager -a -o verbose > /root/journal.txt
grep -aF -f <(printf '%s\\n' "$patterns") /root/journal.txt | cut -c 1-40
grep -c sshd /root/journal.txt >&2
rm /root/journal.txt`
  const { stdout, stderr } = await lab.sh(host, script, { input: secrets.join('\n') })
  expect(stdout).toBe('')
  expect(Number(stderr)).toBeGreaterThan(0)
})

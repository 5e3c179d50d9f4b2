import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, test } from 'vitest'

import { Hosts } from '../../../../lib/host/hosts.ts'
import { promptFor } from '../../../../lib/postgres/shell/prompt.ts'
import { psqlOf } from '../../../../lib/postgres/shell/psql.ts'
import { estateOf, failure, RecordedRun, ScriptedMachine } from '../../doubles.ts'

const folder = mkdtempSync(join(tmpdir(), 'hausmeister-psql-'))
afterAll(() => rmSync(folder, { recursive: true }))

const inventory = {
  hosts: { 'pg-1': {}, 'vm-app': {} },
  postgres: {
    main: { hosts: ['pg-1'], port: 5433 },
    cloud: { url: 'env:CLOUD_URL', via: 'vm-app' },
    boxed: { container: { runtime: 'podman', host: 'vm-app', name: 'db' } },
  },
}
const password = 'p:w%d '
const look = { prompt: promptFor('production', 'pg-1', true), term: 'xterm' }

async function psqlIn(cluster: string, database?: string, hasPsql = true) {
  const run = new RecordedRun()
  const url = `postgresql://boss:${encodeURIComponent(password)}@db.example:6000/first?sslmode=require`
  const estate = await estateOf(inventory, { CLOUD_URL: url })
  const hosts = new Hosts(estate, run, async (name) => new ScriptedMachine(name, () => (hasPsql ? 0 : 1)))
  const target = { cluster, database, environment: undefined }
  return psqlOf({ estate, hosts, run }, target, 'pg-1', look)
}

test('on the primary, as postgres, over its socket', async () => {
  const { host, command, program } = await psqlIn('main', "it's")
  expect([host.name, host.user]).toEqual(['pg-1', 'postgres'])
  expect(command).toBe(String.raw`psql -p 5433 -d dbname='it\'s'`)
  expect(program).toMatchObject({ secrets: {}, term: 'xterm' })
})

test('the maintenance database, when none is named', async () => {
  expect((await psqlIn('main')).command).toBe("psql -p 5433 -d dbname='postgres'")
  expect((await psqlIn('cloud')).command).toBe('psql postgresql://boss@db.example:6000/first?sslmode=require')
})

test('a managed one from the machine that reaches it, with its password apart', async () => {
  const { host, command, program } = await psqlIn('cloud', 'a b')
  expect([host.name, host.user]).toEqual(['vm-app', 'root'])
  expect(command).toBe('psql postgresql://boss@db.example:6000/a%20b?sslmode=require')
  expect(program.secrets).toEqual({ PGPASSWORD: password })
  expect(program.script).not.toMatch(/p(:|%3A)w/)
})

test('inside of a container, as the superuser that it was made with', async () => {
  const inspected = [
    {
      State: { Status: 'running', Running: true, ExitCode: 0 },
      Config: { Env: ['POSTGRES_USER=boss'] },
      HostConfig: { NetworkMode: 'bridge' },
      NetworkSettings: {},
    },
  ]
  const run = new RecordedRun()
  const estate = await estateOf(inventory)
  const machine = new ScriptedMachine('vm-app', ({ say }) => {
    say(JSON.stringify(inspected))
    return 0
  })
  const hosts = new Hosts(estate, run, async () => machine)
  const target = { cluster: 'boxed', database: 'shop', environment: undefined }
  const { command, program } = await psqlOf({ estate, hosts, run }, target, 'vm-app', look)
  expect(command).toBe(
    "podman exec -it --detach-keys=ctrl-@,ctrl-@ -e TERM=xterm -e LC_ALL=C.UTF-8 -e PGAPPNAME=hausmeister-shell db psql -U boss -d dbname='shop'",
  )
  expect(program.script).toMatch(/^exec podman exec -it .* -v 'PROMPT1=%\[.*production %\/@pg-1/)
})

test('a machine without psql is named, with what installs it', async () => {
  expect(await failure(psqlIn('cloud', undefined, false))).toMatchObject({
    message: 'there is no psql on vm-app, from where cloud is reached',
    next: 'as root there: apt-get install postgresql-client',
  })
})

/** Starts the script in bash, with a psql that tells what it was given. */
async function start(env: Record<string, string> = {}): Promise<string> {
  const psql = join(folder, 'psql')
  writeFileSync(
    psql,
    '#!/bin/sh\nprintf "<%s>" "$@"; echo\necho "$PGAPPNAME $HOME"; locale charmap; cat "$PSQLRC"\n',
  )
  chmodSync(psql, 0o755)
  const { program } = await psqlIn('main', 'shop')
  const { stdout, stderr } = spawnSync('bash', ['-c', `cd /; ${program.script}`], {
    encoding: 'utf8',
    env: { PATH: `${folder}:${process.env['PATH']}`, HOME: '/nowhere', ...env },
  })
  expect(stderr).toBe('')
  return stdout
}

describe('the script, in a real bash', () => {
  test('names us, is at home, reads UTF-8, and has the last word on the prompt', async () => {
    const [words, names, charmap, ...psqlrc] = (await start()).trimEnd().split('\n')
    expect(words).toBe("<-p><5433><-d><dbname='shop'>")
    expect(names).toMatch(/^hausmeister-shell \/(?!nowhere)/)
    expect(charmap).toBe('UTF-8')
    const prompt = '%[%033[1;31m%]production %/@pg-1%R%x%#%[%033[0m%] '
    expect(psqlrc.slice(-2)).toEqual([`\\set PROMPT1 '${prompt}'`, `\\set PROMPT2 '${prompt}'`])
  })

  test('leaves a locale that is UTF-8 as it is', async () => {
    expect(await start({ LC_ALL: 'C.UTF-8' })).toContain('\nUTF-8\n')
  })
})

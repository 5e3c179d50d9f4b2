import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { basename, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { type AppShell, appShell } from '../../../lib/app/app.ts'
import { leash } from '../../../lib/container/leash.ts'
import { Hosts } from '../../../lib/host/hosts.ts'
import { quote } from '../../../lib/host/quote.ts'
import { originOf } from '../../../lib/host/shell.ts'
import type { App } from '../../../lib/inventory/inventory.ts'
import { estateOf, RecordedRun, rejection, ScriptedMachine } from '../doubles.ts'

const common = { environment: 'test', host: 'vm-app' } as const

interface Started {
  started: string[]
  run: RecordedRun
  shell: AppShell
}

async function started(
  app: App,
  { groups = 'ops', dryRun = false, code = 0 }: { groups?: string; dryRun?: boolean; code?: number } = {},
): Promise<Started> {
  const run = new RecordedRun({ dryRun })
  const machine = new ScriptedMachine(
    'vm-app',
    ({ script, say }) => {
      if (script.endsWith('id -nG')) say(`${groups}\n`)
      else if (!script.includes('sudo')) return code
      return 0
    },
    { loginUser: 'ops' },
  )
  const hosts = new Hosts(await estateOf({}), run, async () => machine)
  const shell = await appShell(hosts, app)
  return { started: machine.started, run, shell }
}

/** What arrives on the machine for a command in the app. */
async function arrival(app: App, options: { groups?: string } = {}): Promise<string | undefined> {
  const found = await started(app, options)
  await found.shell.change("npm run seed -- 'it works'")
  return found.started.at(-1)?.replace('set -euo pipefail; ', '')
}

const command = String.raw`'npm run seed -- '\''it works'\'''`
const inShell = `sh -c ${command}`
const onLeash = `sh -c ${quote(leash)} leash ${command}`

describe('a command runs', () => {
  const compose: App = { ...common, runtime: 'compose', directory: '/srv/shop', service: 'app' }
  const go = 'cd 2> /dev/null || :; cd /srv/shop; exec'

  test('in a container of its own of the compose service', async () => {
    expect(await arrival(compose, { groups: 'ops docker' })).toBe(
      `ops: ${go} docker compose  run --rm --no-deps -T app ${onLeash}`,
    )
  })

  test('with the compose file that the inventory names', async () => {
    expect(await arrival({ ...compose, file: 'prod stack.yml' }, { groups: 'docker' })).toBe(
      `ops: ${go} docker compose -f 'prod stack.yml' run --rm --no-deps -T app ${onLeash}`,
    )
  })

  test('as root where the login user may not talk to Docker', async () => {
    expect(await arrival(compose, { groups: 'ops dockers' })).toMatch(/^root: .*docker compose/)
  })

  test('in the podman container of the login user', async () => {
    const app: App = { ...common, runtime: 'podman', container: 'shop-app' }
    expect(await arrival(app)).toBe(`ops: exec podman exec -i shop-app ${onLeash}`)
  })

  test('in the folder of a pm2 process', async () => {
    const app: App = { ...common, runtime: 'pm2', directory: '/srv/shop', process: 'shop' }
    expect(await arrival(app)).toBe(`ops: ${go} ${inShell}`)
  })

  test('in a folder, as the user that the inventory names', async () => {
    const app: App = { ...common, runtime: 'command', directory: '/srv/shop' }
    expect(await arrival(app)).toBe(`ops: ${go} ${inShell}`)
    expect(await arrival({ ...app, user: 'shop' })).toBe(`shop: ${go} ${inShell}`)
  })

  test('in a folder of the home directory', async () => {
    const folder = await mkdtemp(join(homedir(), '.hausmeister-app-'))
    const elsewhere = await mkdtemp(join(tmpdir(), 'hausmeister-app-'))
    try {
      const estate = await estateOf({ hosts: { desk: { local: true } } })
      for (const [directory, real] of [
        [`~/${basename(folder)}`, folder],
        [elsewhere, elsewhere],
      ] as const) {
        const app: App = { environment: 'test', host: 'desk', runtime: 'command', directory }
        const shell = await appShell(new Hosts(estate, new RecordedRun()), app)
        expect(await shell.read('pwd -P').text()).toBe(`${await realpath(real)}\n`)
      }
    } finally {
      await rm(folder, { recursive: true })
      await rm(elsewhere, { recursive: true })
    }
  })
})

describe('what is told', () => {
  const app: App = { ...common, runtime: 'command', directory: '/srv/shop' }

  test('the command and its place, not how it got there', async () => {
    const { shell, run } = await started(app)
    await shell.change('npm run seed')
    await shell.read('npm run drift')
    expect(shell.place).toBe('vm-app, /srv/shop')
    expect(run.changes).toEqual([
      { state: 'done', host: 'vm-app', user: 'ops', command: 'npm run seed   # vm-app, /srv/shop' },
    ])
  })

  test('in a dry run a change is not made, and a question is asked', async () => {
    const found = await started(app, { dryRun: true })
    await found.shell.change('npm run seed')
    await found.shell.read('npm run drift')
    expect(found.run.changes.map(({ state }) => state)).toEqual(['would'])
    expect(found.started.join('\n')).not.toContain('seed')
    expect(found.started.join('\n')).toContain('drift')
  })

  test('when it fails', async () => {
    const { shell } = await started(app, { code: 3 })
    const error = await rejection(shell.change('npm run seed'))
    expect(originOf(error)).toEqual({
      host: 'vm-app',
      user: 'ops',
      command: 'npm run seed   # vm-app, /srv/shop',
    })
  })
})

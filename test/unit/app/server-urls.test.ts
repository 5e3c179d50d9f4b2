import { expect, test } from 'vitest'

import {
  forgetRestart,
  needsRestart,
  readServerUrls,
  stillWrong,
  writeServerUrls,
} from '../../../lib/app/server-urls.ts'
import { Hosts } from '../../../lib/host/hosts.ts'
import { estateOf, RecordedRun, ScriptedMachine } from '../doubles.ts'
import { shopEstate } from '../postgres/reset/shop.ts'
import { appMachine } from './app-machine.ts'

const path = '/srv/shop/.env'
const due = `${path}.hausmeister-restart`

/** The shop's machine with this as its env file. */
async function machineWith(text: string | undefined) {
  const estate = await shopEstate({ 'apps/shop/envFile': '.env' })
  const files = new Map(text === undefined ? [] : [[path, text]])
  const order: string[] = []
  const run = new RecordedRun()
  const hosts = new Hosts(estate, run, async (name) => appMachine(name, files, order))
  const read = () => readServerUrls(hosts, estate.app('shop'), ({ host }) => host === 'old')
  return { files, order, run, read }
}

const login = 'postgresql://shop:secret'

test('what writes goes to the primary, what may only read stays; the restart is noted before', async () => {
  const { files, order, run, read } = await machineWith(
    `DATABASE_URL=${login}@old:5432/shop\nDIRECT_URL=${login}@other/shop\nREPORT_URL=${login}@old/shop\n`,
  )
  const urls = await read()
  if (!urls) throw new Error('there is a file')
  expect(urls.wrong).toEqual([{ variable: 'DATABASE_URL', host: 'old', port: 5432 }])
  expect(urls.reading.map(({ variable }) => variable)).toEqual(['REPORT_URL'])
  expect(needsRestart(urls)).toBe(true)
  await writeServerUrls(urls, 'new')
  expect(order).toEqual([`write ${due}`, `write ${path}`])
  expect(files.get(path)).toBe(
    `DATABASE_URL=${login}@new:5432/shop\nDIRECT_URL=${login}@other/shop\nREPORT_URL=${login}@old/shop\n`,
  )
  expect(JSON.stringify(run.changes)).not.toContain('secret')

  // Cut off here, the next run finds nothing wrong in the file, and that the app does not know it yet.
  const again = await read()
  if (!again) throw new Error('there is a file')
  expect([again.wrong, needsRestart(again)]).toEqual([[], true])
  await forgetRestart(again)
  const last = await read()
  expect(last && needsRestart(last)).toBe(false)
  expect([...files.keys()]).toEqual([path])
})

test('what only commands use asks for no restart', async () => {
  const { order, read } = await machineWith(
    `DATABASE_URL=${login}@pooler:6432/shop\nDIRECT_URL=${login}@old/shop\n`,
  )
  const urls = await read()
  if (!urls) throw new Error('there is a file')
  expect(needsRestart(urls)).toBe(false)
  await writeServerUrls(urls, 'new')
  expect(order).toEqual([`write ${path}`])
})

test('no file', async () => {
  expect(await (await machineWith(undefined)).read()).toBeUndefined()
})

test.each([
  ['old', [{ variable: 'DATABASE_URL', host: 'old', port: 5432 }]],
  ['new', []],
])(
  'a container that was made with %s is told, also when its file was mended by an earlier run',
  async (server, still) => {
    const { read } = await machineWith(`DATABASE_URL=${login}@new:5432/shop\n`)
    const urls = await read()
    if (!urls) throw new Error('there is a file')
    const estate = await estateOf({
      hosts: { web: {} },
      apps: { shop: { environment: 'test', host: 'web', runtime: 'podman', container: 'shop' } },
    })
    const inspected = {
      State: { Status: 'running', Running: true, ExitCode: 0 },
      Config: { Env: [`DATABASE_URL=${login}@${server}:5432/shop`] },
      HostConfig: { NetworkMode: 'bridge' },
      NetworkSettings: {},
    }
    const podman = new ScriptedMachine('web', ({ say }) => {
      say(JSON.stringify([inspected]))
      return 0
    })
    const hosts = new Hosts(estate, new RecordedRun(), async () => podman)
    expect(await stillWrong(hosts, estate.app('shop'), urls)).toEqual(still)
  },
)

import { expect, test } from 'vitest'

import { Hosts } from '../../../lib/host/hosts.ts'
import { poolerOf } from '../../../lib/pgbouncer/poolers.ts'
import { type Call, RecordedRun, ScriptedMachine } from '../doubles.ts'
import { shopEstate } from '../postgres/reset/shop.ts'

async function isRunning(answer: (call: Call) => number): Promise<boolean | undefined> {
  const estate = await shopEstate({
    'postgres/main/pooler': { runtime: 'compose', app: 'shop', service: 'pool', directory: '/srv/pool' },
    'apps/shop/runtime': 'compose',
    'apps/shop/service': 'api',
    'apps/shop/user': undefined,
  })
  const hosts = new Hosts(estate, new RecordedRun(), async (name) => {
    return new ScriptedMachine(name, (call) => (call.script.includes('compose') ? answer(call) : 0))
  })
  return (await poolerOf({ estate, hosts }, 'main'))?.isRunning()
}

function says(text: string, code: number): (call: Call) => number {
  return ({ say, complain }) => {
    if (code === 0) say(text)
    else complain(text)
    return code
  }
}

test('runs when there is a container', async () => {
  expect(await isRunning(says('3f2a\n', 0))).toBe(true)
})

test.each([
  ['no folder, or no container', says('', 0)],
  ['no docker', says('Cannot connect to the Docker daemon at unix:///var/run/docker.sock.', 1)],
  ['no such service', says('no such service: pool', 1)],
])('does not run: %s', async (_, answer) => {
  expect(await isRunning(answer)).toBe(false)
})

test('whatever else is wrong is no proof that it does not run', async () => {
  await expect(isRunning(says('permission denied while trying to connect', 1))).rejects.toThrow(
    /whether pgbouncer on .* runs cannot be told/,
  )
})

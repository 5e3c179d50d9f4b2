import { describe, expect, test } from 'vitest'

import { proveRenewed, unitToRestart } from '../../../lib/app/renewal.ts'
import { App } from '../../../lib/inventory/inventory.ts'
import { boxes, inspected } from '../container/machine.ts'
import { failure } from '../doubles.ts'

const app = App.parse({ environment: 'test', host: 'server', runtime: 'podman', container: 'shop' })
const passing = { role: 'shop', passwords: ['seaser', 'next'] }
const labels = { PODMAN_SYSTEMD_UNIT: 'shop.service' }
const file = '/srv/shop.env'

/** @param command what the unit of the container runs */
async function look(
  facts: Parameters<typeof inspected>[0],
  command = '',
  envFile: string | undefined = file,
) {
  const { hosts } = await boxes(({ script, say }) => {
    say(script.includes('inspect') ? inspected(facts) : command)
    return 0
  })
  return unitToRestart(hosts, 'shop', app, envFile, passing)
}

const env = ['POSTGRES_PASSWORD=seaser']

describe('how a podman app comes by another password', () => {
  test('by a restart, when its environment does not hold the old one', async () => {
    expect(await look({ env: ['POSTGRES_HOST=seaser-postgres'] })).toBeUndefined()
    expect(await look({ env: ['URL=postgres://other:seaser@db/shop'] })).toBeUndefined()
  })

  test('by its unit, which reads the file anew', async () => {
    expect(await look({ env, labels }, `podman run --replace --env-file ${file} shop`)).toBe('shop.service')
    const url = ['URL=postgres://shop:seaser@db/shop']
    expect(await look({ env: url, labels }, `podman run --env-file=${file} shop`)).toBe('shop.service')
  })

  test.each([
    ['no unit makes it anew', { env }, '', file],
    [
      'has the password in its own command line',
      { env, labels },
      `run --env-file ${file} --env A=seaser`,
      file,
    ],
    [`does not take it from ${file}`, { env, labels }, 'podman run --env-file /srv/other.env', file],
  ])('refused beforehand: %s', async (why, facts, command, envFile) => {
    const { message } = await failure(look(facts, command, envFile))
    expect(message).toContain(why)
    expect(message).not.toContain('seaser')
  })

  test('what runs otherwise has no unit', async () => {
    const { hosts } = await boxes(() => 1)
    const other = App.parse({ environment: 'test', host: 'server', runtime: 'command', directory: '/srv' })
    expect(await unitToRestart(hosts, 'shop', other, file, passing)).toBeUndefined()
  })
})

test('a container that was made with the old one again is found', async () => {
  const { hosts } = await boxes(({ say }) => {
    say(inspected({ env }))
    return 0
  })
  expect((await failure(proveRenewed(hosts, 'shop', app, 'shop', 'seaser'))).message).toBe(
    'app shop was started with the old password again: server (container shop)',
  )
  await proveRenewed(hosts, 'shop', app, 'shop', 'another')
})

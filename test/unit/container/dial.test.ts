import { setImmediate as nextTurn } from 'node:timers/promises'

import { describe, expect, test } from 'vitest'

import { type Container, findContainer } from '../../../lib/container/container.ts'
import { dialContainer } from '../../../lib/container/dial.ts'
import type { ContainerEntry } from '../../../lib/inventory/inventory.ts'
import { failure } from '../doubles.ts'
import { boxes, inspected } from './machine.ts'

const docker: ContainerEntry = { runtime: 'docker', host: 'server', name: 'pg' }

async function dialled(
  facts: Parameters<typeof inspected>[0],
  from: string,
  entry: ContainerEntry = docker,
): Promise<string[]> {
  const { estate, hosts, machines } = await boxes(({ script, say }) => {
    say(script.includes('inspect') ? inspected(facts) : 'docker')
    return 0
  })
  const container: Container = await findContainer(hosts, entry)
  await dialContainer({ estate, hosts }, container, 5432, from)
  await nextTurn()
  const relays = machines.get('server')?.started.filter((one) => one.includes('unshare')) ?? []
  return [...(machines.get(from)?.dialled ?? []), ...relays]
}

const published = (HostIp: string) => ({ ports: { '5432/tcp': [{ HostIp, HostPort: '5433' }] } })

describe('the way to a port inside', () => {
  test('published: by the address of the machine, never by loopback, which the image trusts', async () => {
    expect(await dialled(published('0.0.0.0'), 'server')).toEqual(['192.0.2.1:5433'])
    expect(await dialled(published(''), 'other')).toEqual(['192.0.2.1:5433'])
  })

  test('published for the machine itself: from there only', async () => {
    expect(await dialled(published('127.0.0.1'), 'server')).toEqual(['127.0.0.1:5433'])
    expect((await failure(dialled(published('127.0.0.1'), 'other'))).message).toContain(
      'server (container pg) publishes no port that other could reach',
    )
  })

  test('of another port, or none: by its address from its own machine', async () => {
    expect(await dialled({ ports: { '80/tcp': [{ HostIp: '', HostPort: '5433' }] } }, 'server')).toEqual([
      '10.89.0.5:5432',
    ])
    await failure(dialled({}, 'other'))
  })

  test('on the network of the machine', async () => {
    expect(await dialled({ mode: 'host', address: '' }, 'other')).toEqual(['192.0.2.1:5432'])
  })

  test('rootless podman: from within its namespace', async () => {
    const [way] = await dialled({}, 'server', { ...docker, runtime: 'podman' })
    expect(way).toMatch(/podman unshare --rootless-netns bash -c .* 10\.89\.0\.5 5432$/)
  })
})

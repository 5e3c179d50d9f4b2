import { expect, test } from 'vitest'

import { Hosts } from '../../../lib/host/hosts.ts'
import { findPrimary, membersOf } from '../../../lib/postgres/cluster.ts'
import { inspected } from '../container/machine.ts'
import { estateOf, RecordedRun, ScriptedMachine } from '../doubles.ts'

async function cluster(facts: Parameters<typeof inspected>[0]) {
  const estate = await estateOf({
    networks: { lan: { cidr: '192.0.2.0/24' } },
    hosts: { server: { addresses: { lan: '192.0.2.1' } } },
    postgres: { main: { container: { runtime: 'podman', host: 'server', name: 'pg' } } },
  })
  const started: string[] = []
  const hosts = new Hosts(estate, new RecordedRun(), async (name) => {
    return new ScriptedMachine(
      name,
      async ({ script, user, say, input }) => {
        started.push(`${user}: ${script}`)
        if (script.includes('inspect')) say(inspected(facts))
        else
          say((await input()).includes('port') ? '[{"port": 5432}]' : '[{"standby": false, "version": 16}]')
        return 0
      },
      { loginUser: 'ops' },
    )
  })
  return { reaching: { estate, hosts, run: new RecordedRun() }, started }
}

test.each([
  ['postgres', []],
  ['rezepte', ['POSTGRES_USER=rezepte']],
])('psql inside, as %s, by the user that logs in', async (superuser, env) => {
  const { reaching, started } = await cluster({ env })
  const { server, version } = await findPrimary(reaching, 'main')
  expect({ name: server.name, version }).toEqual({ name: 'server (container pg)', version: 16 })
  expect(started.find((one) => one.includes('psql'))).toMatch(
    new RegExp(`^ops: .*cd /; podman exec -i pg env PGAPPNAME=hausmeister .* psql .* -U ${superuser} -d `),
  )
})

test('where its clients find it', async () => {
  const { reaching } = await cluster({ ports: { '5432/tcp': [{ HostIp: '', HostPort: '5433' }] } })
  const { endpoints } = await findPrimary(reaching, 'main')
  expect(endpoints.map(({ host, port }) => `${host}:${port}`)).toEqual([
    'pg:5432',
    'db:5432',
    '10.89.0.5:5432',
    'server:5433',
    '192.0.2.1:5433',
  ])
})

test('the one member of its cluster', async () => {
  const { reaching } = await cluster({})
  const [member, ...others] = membersOf(reaching, 'main')
  expect({ name: member?.name, others }).toEqual({ name: 'server (container pg)', others: [] })
})

import { describe, expect, test } from 'vitest'

import { findContainer } from '../../../lib/container/container.ts'
import type { ContainerEntry } from '../../../lib/inventory/inventory.ts'
import { TaskError } from '../../../lib/task/errors.ts'
import { type Call, rejection } from '../doubles.ts'
import { boxes, inspected } from './machine.ts'

const podman: ContainerEntry = { runtime: 'podman', host: 'server', name: 'pg' }
const compose: ContainerEntry = { runtime: 'compose', host: 'server', directory: '/srv/a', service: 'db' }

type Answer = { says?: string; complains?: string; code?: number }

/** Answers the first of these whose words are in the command. */
function machine(answers: Record<string, Answer>) {
  return ({ script, say, complain }: Call): number => {
    const found = Object.entries(answers).find(([words]) => script.includes(words))?.[1]
    if (found?.says) say(found.says)
    if (found?.complains) complain(found.complains)
    return found?.code ?? 0
  }
}

async function refusal(entry: ContainerEntry, answers: Record<string, Answer>): Promise<TaskError> {
  const { hosts } = await boxes(machine(answers))
  const error = await rejection(findContainer(hosts, entry))
  if (error instanceof TaskError) return error
  throw error
}

describe('one that runs', () => {
  test('under podman', async () => {
    const ports = { '5432/tcp': [{ HostIp: '127.0.0.1', HostPort: '5433' }], '80/tcp': null }
    const says = inspected({ env: ['POSTGRES_USER=rezepte', 'A=b=c'], ports })
    const { hosts } = await boxes(machine({ inspect: { says } }))
    expect(await findContainer(hosts, podman)).toMatchObject({
      title: 'server (container pg)',
      runtime: 'podman',
      name: 'pg',
      environment: { POSTGRES_USER: 'rezepte', A: 'b=c' },
      unit: undefined,
      addresses: ['10.89.0.5'],
      aliases: ['pg', 'db'],
      published: [{ address: '127.0.0.1', port: 5433, of: 5432 }],
    })
  })

  test('of compose: by the id of its container, as root for who is not in the group docker', async () => {
    const { hosts, machines } = await boxes(
      machine({
        'ps --all': { says: 'abc123\n' },
        inspect: { says: inspected() },
        'id -nG': { says: 'ops' },
      }),
    )
    const { name, host, aliases } = await findContainer(hosts, compose)
    expect({ name, user: host.user, aliases }).toEqual({
      name: 'abc123',
      user: 'root',
      aliases: ['db', 'db'],
    })
    expect(machines.get('server')?.started.join('\n')).toContain('docker inspect --type container abc123')
  })
})

describe('one that does not run: the next command', () => {
  const stopped = { says: inspected({ running: false }) }

  test.each<[string, ContainerEntry, Record<string, Answer>, string]>([
    ['podman', podman, { inspect: stopped }, 'podman start pg'],
    [
      'docker',
      { ...podman, runtime: 'docker' },
      { inspect: stopped, 'id -nG': { says: 'docker' } },
      'docker start pg',
    ],
    [
      'podman with a unit',
      podman,
      { inspect: { says: inspected({ running: false, labels: { PODMAN_SYSTEMD_UNIT: 'pg.service' } }) } },
      'systemctl --user start pg.service',
    ],
    [
      'podman whose unit took it away',
      podman,
      {
        inspect: { complains: 'Error: no such container "pg"', code: 125 },
        'list-unit-files': { says: 'container-pg.service enabled enabled\n' },
      },
      'systemctl --user start container-pg.service',
    ],
    [
      'compose',
      compose,
      { 'ps --all': { says: 'abc\n' }, inspect: stopped, 'id -nG': { says: 'docker' } },
      'cd /srv/a && docker compose up -d db',
    ],
    [
      'compose, never started',
      compose,
      { 'id -nG': { says: 'docker' } },
      'cd /srv/a && docker compose up -d db',
    ],
  ])('%s', async (_, entry, answers, next) => {
    expect((await refusal(entry, answers)).next).toBe(`on server as ops: ${next}`)
  })

  test('without lingering, that comes first', async () => {
    const { message, next } = await refusal(podman, { inspect: stopped, loginctl: { says: 'no\n' } })
    expect(message).toMatch(/does not run \(exited, exit code 137\); ops has no lingering there/)
    expect(next).toBe('on server as ops: sudo loginctl enable-linger ops && podman start pg')
  })
})

test.each<[string, ContainerEntry, Record<string, Answer>, string]>([
  [
    'a name that is not there',
    { ...podman, name: 'seaser-postgre' },
    {
      inspect: { complains: 'Error: no such container "x"', code: 125 },
      'ps --all': { says: 'seaser-postgres\nweb\n' },
    },
    'ops has no container "seaser-postgre" on server. Did you mean "seaser-postgres"?',
  ],
  [
    'a service that is not there',
    { ...compose, service: 'dbb' },
    {
      'id -nG': { says: 'docker' },
      'ps --all': { complains: 'no such service: dbb\n', code: 1 },
      'config --services': { says: 'db\napp\n' },
    },
    '/srv/a on server has no service "dbb". Did you mean "db"?',
  ],
  [
    'no podman',
    podman,
    { inspect: { complains: 'bash: podman: command not found', code: 127 } },
    'there is no podman on server',
  ],
  [
    'a daemon that does not run',
    { ...podman, runtime: 'docker' },
    {
      'id -nG': { says: 'docker' },
      inspect: { complains: 'Cannot connect to the Docker daemon', code: 1 },
    },
    'docker on server does not answer ops: Cannot connect to the Docker daemon',
  ],
])('%s', async (_, entry, answers, message) => {
  expect((await refusal(entry, answers)).message).toBe(message)
})

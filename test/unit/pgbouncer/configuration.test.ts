import { expect, test } from 'vitest'

import { Hosts } from '../../../lib/host/hosts.ts'
import { configure, type Facts } from '../../../lib/pgbouncer/configuration.ts'
import type { Pooler } from '../../../lib/pgbouncer/pooler.ts'
import { poolerOf } from '../../../lib/pgbouncer/poolers.ts'
import { readUsers } from '../../../lib/pgbouncer/userlist.ts'
import { RecordedRun, ScriptedMachine } from '../doubles.ts'
import { shopEstate } from '../postgres/reset/shop.ts'

async function pooler(entry: Record<string, unknown> = {}): Promise<Pooler> {
  const estate = await shopEstate({
    'postgres/main/pooler': { runtime: 'systemd', host: 'vm-app', poolSize: 7, ...entry },
  })
  const hosts = new Hosts(estate, new RecordedRun(), async (name) => new ScriptedMachine(name, () => 0))
  const found = await poolerOf({ estate, hosts }, 'main')
  if (!found) throw new Error('the shop has no pooler')
  return found
}

const facts: Facts = { version: '1.24', routes: [], users: [], addresses: ['127.0.0.1', '192.0.2.4'] }

test('the settings of the inventory', async () => {
  const { settings } = configure(await pooler(), {}, facts)
  expect(settings).toMatchObject({
    listen_addr: '127.0.0.1, 192.0.2.4',
    listen_port: '6432',
    pool_mode: 'transaction',
    default_pool_size: '7',
    max_client_conn: '100',
    max_prepared_statements: '200',
  })
})

test.each(['1.9', '1.20', undefined])('version %s knows no prepared statements', async (version) => {
  const { settings } = configure(await pooler(), {}, { ...facts, version })
  expect(settings).not.toHaveProperty('max_prepared_statements')
})

test('lists that the user has set are added to', async () => {
  const ini = '[pgbouncer]\nstats_users = grafana\nignore_startup_parameters = options\n'
  const { settings } = configure(await pooler(), { 'pgbouncer.ini': ini }, facts)
  expect(settings).toMatchObject({
    stats_users: 'grafana, hausmeister',
    ignore_startup_parameters: 'options, extra_float_digits',
  })
})

test('users in another file are not put out of use', async () => {
  const ini = '[pgbouncer]\nauth_file = /etc/users\n'
  const one = await pooler()
  expect(() => configure(one, { 'pgbouncer.ini': ini }, facts)).toThrow(/has its users in \/etc\/users/)
})

test('the password of the one who looks is made once', async () => {
  const first = configure(await pooler(), {}, facts)
  const [made] = readUsers(first.files['userlist.txt'] ?? '')
  expect(made).toMatchObject({ name: 'hausmeister', password: expect.stringMatching(/^[\w-]{32}$/) })
  const second = configure(await pooler(), first.files, facts)
  expect(second.files).toEqual(first.files)
})

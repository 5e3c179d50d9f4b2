import { describe, expect, test } from 'vitest'

import { HostError } from '../../../../lib/host/errors.ts'
import { Hosts } from '../../../../lib/host/hosts.ts'
import { insistOnAll, letClientsFollow, lookAtClients } from '../../../../lib/postgres/replication/clients.ts'
import { clusterTarget } from '../../../../lib/postgres/replication/cluster-target.ts'
import { Cancellation } from '../../../../lib/task/cancellation.ts'
import type { TaskEventBody } from '../../../../lib/task/events.ts'
import { Session } from '../../../../lib/task/session.ts'
import { appMachine } from '../../app/app-machine.ts'
import { RecordedRun, ScriptedMachine } from '../../doubles.ts'
import { shopEstate } from '../reset/shop.ts'

const env = '/srv/shop/.env'
const routes = '/etc/pgbouncer/hausmeister-databases.ini'
const login = 'postgresql://shop_app:secret'

/** The shop with its app on vm-app and a pooler, which is down, on a machine of its own. */
async function shop(
  files: Record<string, string>,
  { silent = [], changes = {} }: { silent?: string[]; changes?: Record<string, unknown> } = {},
) {
  const estate = await shopEstate({
    'hosts/vm-pool': { addresses: { lan: '192.0.2.9' } },
    'apps/shop/envFile': '.env',
    'apps/shop/runtime': 'pm2',
    'apps/shop/process': 'shop',
    'apps/shop/user': undefined,
    'postgres/main/pooler': { runtime: 'systemd', host: 'vm-pool' },
    ...changes,
  })
  const run = new RecordedRun()
  const all = new Map(Object.entries(files))
  const order: string[] = []
  const hosts = new Hosts(estate, run, async (name) => {
    if (!silent.includes(name)) return appMachine(name, all, order)
    return new ScriptedMachine(name, () => {
      throw new HostError(name, 'unreachable', 'no answer')
    })
  })
  const events: TaskEventBody[] = []
  const session = new Session({
    estate,
    flags: {},
    hosts,
    run,
    holder: { who: 'anna@desk', task: 'pg-switchover', since: new Date().toISOString() },
    inventory: undefined,
    yes: true,
    emit: (event) => void events.push(event),
    ask: undefined,
    cancellation: new Cancellation(),
  })
  const target = clusterTarget(estate, 'main')
  const told = () => events.flatMap((event) => (event.event === 'note' ? [event.text] : [])).join('\n')
  return { session, target, files: all, order, told, run }
}

describe("the pooler's machine does not answer:", () => {
  test('while all is well, that is a reason to leave it so', async () => {
    const { session, target } = await shop({}, { silent: ['vm-pool'] })
    await expect(lookAtClients(session, target, 'all is well')).rejects.toMatchObject({
      code: 3,
      message: expect.stringMatching(/the pooler's machine must answer.*vm-pool: no answer/),
    })
  })

  test.each(['cut off', 'primary gone'] as const)('%s: told, with the command for it', async (state) => {
    const { session, target, told } = await shop({}, { silent: ['vm-pool'] })
    const clients = await lookAtClients(session, target, state)
    expect(clients.pooler).toBeUndefined()
    expect(told()).toMatch(/the pooler of main does not follow: vm-pool: no answer; .*pg-pooler.* main/)
    expect(() => insistOnAll(clients, 'pg-2')).toThrow(
      /pg-2 is the primary, and not all follow:\n- the pooler/,
    )
  })
})

test('a pooler that pg-pooler has never set up is left alone', async () => {
  const { session, target, told, order } = await shop({})
  const clients = await lookAtClients(session, target, 'all is well')
  await letClientsFollow(session, target, clients, 'pg-2')
  expect(told()).toMatch(/was never set up by pg-pooler, and stays pointed to where it is; .*pg-pooler/)
  expect(order).toEqual([])
  expect(() => insistOnAll(clients, 'pg-2')).not.toThrow()
})

test("an app's machine that does not answer holds up neither the pooler nor a switchover", async () => {
  const { session, target, files, told } = await shop({ [routes]: '' }, { silent: ['vm-app'] })
  const clients = await lookAtClients(session, target, 'all is well')
  await letClientsFollow(session, target, clients, 'pg-2')
  expect(files.get(routes)).toContain('shop = host=192.0.2.2 port=5432')
  expect(told()).toMatch(
    /pgbouncer on vm-pool is not running[^]*app shop on vm-app does not follow: vm-app: no answer/,
  )
  expect(() => insistOnAll(clients, 'pg-2')).toThrow(/app shop on vm-app does not follow/)
})

test('pooler and app follow; again, there is nothing to do; and back', async () => {
  const { session, target, files, order, run } = await shop({
    [routes]: '',
    [env]: `DATABASE_URL=${login}@pg-1:5432/shop\nDIRECT_URL=${login}@192.0.2.1/shop\n`,
  })
  const follow = async (primary: string) => {
    order.length = 0
    const clients = await lookAtClients(session, target, 'all is well')
    await letClientsFollow(session, target, clients, primary)
    insistOnAll(clients, primary)
  }
  await follow('pg-2')
  expect(order).toEqual([`write ${routes}`, `write ${env}.hausmeister-restart`, `write ${env}`, 'restart'])
  expect(files.get(env)).toBe(
    `DATABASE_URL=${login}@192.0.2.2:5432/shop\nDIRECT_URL=${login}@192.0.2.2/shop\n`,
  )
  expect([...files.keys()].toSorted()).toEqual([routes, env].toSorted())
  await follow('pg-2')
  expect(order).toEqual([])
  await follow('pg-1')
  expect(files.get(env)).toContain('@192.0.2.1:5432/shop')
  expect(JSON.stringify(run.changes)).not.toContain('secret')
})

test('an app whose file is not known is named, where there is no pooler that it could come through', async () => {
  const unknown = { 'apps/shop/envFile': undefined }
  const pooled = await shop({ [routes]: '' }, { changes: unknown })
  await lookAtClients(pooled.session, pooled.target, 'all is well')
  expect(pooled.told()).not.toContain('envFile')
  const direct = await shop({}, { changes: { ...unknown, 'postgres/main/pooler': undefined } })
  await lookAtClients(direct.session, direct.target, 'all is well')
  expect(direct.told()).toMatch(/app shop has no envFile in the inventory/)
})

import { expect, test } from 'vitest'

import { HostError } from '../../../../lib/host/errors.ts'
import { Hosts } from '../../../../lib/host/hosts.ts'
import { instanceOf } from '../../../../lib/postgres/instance.ts'
import { proveAccess, reachClients } from '../../../../lib/postgres/setup/proof.ts'
import { setupTarget } from '../../../../lib/postgres/setup/target.ts'
import { failure, RecordedRun, ScriptedMachine } from '../../doubles.ts'
import { backend } from '../backend.ts'
import { shopEstate } from '../reset/shop.ts'
import { hostNamed } from './machine.ts'

const password = Math.random().toString(36)
const cluster = {
  version: 17,
  name: 'main',
  running: true,
  standby: false,
  started: true,
  start: 'auto',
  port: 5432,
  folder: '/etc/postgresql/17/main',
  data: '/var/lib/postgresql/17/main',
}

/** The shop with one access rule; its server lets in whom it knows, and refuses the connections of `blocked`. */
async function shop({ silent = [], blocked = [] }: { silent?: string[]; blocked?: string[] }) {
  const estate = await shopEstate(
    {
      'hosts/printer': { addresses: { lan: '192.0.2.200' } },
      'postgres/main/access': [{ role: 'shop_app', database: 'shop', from: 'vm-app' }],
    },
    { SHOP_PASSWORD: password },
  )
  const machines = new Map<string, ScriptedMachine>()
  const hosts = new Hosts(estate, new RecordedRun(), async (name) => {
    if (silent.includes(name)) throw new HostError(name, 'unreachable', 'no answer')
    const dial = async () => {
      if (blocked.includes(name)) throw new HostError(name, 'forward', 'connection refused')
      return backend({ password, query: () => [] }).client
    }
    const machine = new ScriptedMachine(name, () => 0, { dial })
    machines.set(name, machine)
    return machine
  })
  const primary = instanceOf(
    hostNamed('pg-1', ({ say }) => {
      say('[]')
      return 0
    }),
    cluster,
  )
  return { reaching: { estate, hosts }, target: setupTarget(estate, 'main'), primary, machines }
}

test('logins start nothing on the machines that they come from', async () => {
  const { reaching, target, primary, machines } = await shop({ blocked: ['pg-2'] })
  reachClients(reaching, target)
  const proof = await proveAccess(reaching, target, primary)
  expect(proof).toEqual({
    allowed: ['shop_app to shop from vm-app (192.0.2.4)'],
    refused: ['shop_app to shop from pg-2 (192.0.2.2)'],
    untried: [],
  })
  expect([...machines.keys()].toSorted()).toEqual(['pg-2', 'vm-app'])
  for (const { started, dialled } of machines.values()) {
    expect(started).toEqual([])
    expect(dialled).toEqual(['192.0.2.1:5432'])
  }
})

test('where one machine is silent the next one tries, and what nobody can try is told', async () => {
  const { reaching, target, primary } = await shop({ silent: ['vm-app', 'pg-2'], blocked: ['printer'] })
  const proof = await proveAccess(reaching, target, primary)
  expect(proof).toEqual({
    allowed: [],
    refused: ['shop_app to shop from printer (192.0.2.200)'],
    untried: ['shop_app to shop from vm-app: it does not answer'],
  })
})

test('a login that should be refused and gets in is a failure', async () => {
  const { reaching, target, primary } = await shop({})
  expect((await failure(proveAccess(reaching, target, primary))).message).toMatch(
    /shop_app to shop from pg-2 \(192\.0\.2\.2\) should be refused and got in/,
  )
})

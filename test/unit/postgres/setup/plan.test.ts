import { expect, test } from 'vitest'

import type { DatabaseMachine, DebianCluster } from '../../../../lib/postgres/debian.ts'
import { checkMachine, planCluster } from '../../../../lib/postgres/setup/plan.ts'
import type { SetupTarget } from '../../../../lib/postgres/setup/target.ts'
import { setupTarget } from '../../../../lib/postgres/setup/target.ts'
import { shopEstate } from '../reset/shop.ts'
import { hostNamed } from './machine.ts'

const usual: DebianCluster = {
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

async function target(changes: Record<string, unknown> = {}): Promise<SetupTarget> {
  return setupTarget(await shopEstate(changes), 'main')
}

function machine(name: string, ...clusters: Partial<DebianCluster>[]): DatabaseMachine {
  return {
    name,
    host: hostNamed(name),
    memory: 1024 ** 3,
    clusters: clusters.map((one) => ({ ...usual, ...one })),
    installed: [],
    listener: clusters.some(({ running = true }) => running) ? 'LISTEN users:(("postgres",pid=9,fd=6))' : '',
    locales: ['C', 'C.utf8', 'de_DE.utf8'],
    enabled: 'enabled',
  }
}

const running = {}
const standby = { standby: true }
const stopped = { running: false }
const prepared = { running: false, started: false, start: 'manual' }
const fenced = { running: false, start: 'manual' }

async function primaryOf(first: Partial<DebianCluster>[], second: Partial<DebianCluster>[]): Promise<string> {
  const { primary } = planCluster(await target(), [machine('pg-1', ...first), machine('pg-2', ...second)])
  return primary.machine.name
}

test.each([
  ['two bare machines: the first one of the inventory', [], [], 'pg-1'],
  ['one that takes writes wins', [], [running], 'pg-2'],
  ['also over its standby', [standby], [running], 'pg-2'],
  ['also over one that is stopped', [stopped], [running], 'pg-2'],
  ['one that is stopped wins over a bare one, for it may hold the data', [], [stopped], 'pg-2'],
  ['one that was never started does not', [], [prepared], 'pg-1'],
  ['one that somebody keeps from starting by itself still may', [], [fenced], 'pg-2'],
])('%s', async (_, first, second, expected) => {
  expect(await primaryOf(first, second)).toBe(expected)
})

test.each([
  ['two primaries', [running], [running], /^two primaries: pg-1 and pg-2; nothing was changed$/],
  ['a standby without a primary', [], [standby], /^pg-2: a standby, and no primary is running/],
  [
    'a standby, and a stopped one',
    [stopped],
    [standby],
    /pg-2: a standby, and no primary is running; stopped: pg-1/,
  ],
  ['two that are stopped', [stopped], [stopped], /pg-1 and pg-2 each have a server that is stopped/],
])('refused: %s', async (_, first, second, message) => {
  await expect(primaryOf(first, second)).rejects.toThrow(message)
})

test('another version is refused, whether the inventory or the other machine says so', async () => {
  const wanted = await target({ 'postgres/main/version': 17 })
  expect(() => planCluster(wanted, [machine('pg-1', { version: 15 })])).toThrow(
    /pg-1 has PostgreSQL 15 on port 5432, and the cluster is to be 17/,
  )
  const some = [machine('pg-1', running), machine('pg-2', { version: 15, standby: true })]
  expect(() => planCluster({ ...wanted, cluster: { ...wanted.cluster, version: undefined } }, some)).toThrow(
    /pg-2 has PostgreSQL 15/,
  )
})

test('a port that somebody else has is refused, with his name', async () => {
  const taken = { ...machine('pg-1'), listener: 'LISTEN 0 5 0.0.0.0:5432 users:(("python3",pid=42,fd=3))' }
  const wanted = await target()
  expect(() => planCluster(wanted, [taken])).toThrow(/port 5432 on pg-1 is taken by python3 \(pid 42\)/)
  const beside = { ...taken, clusters: [{ ...usual, port: 5433 }] }
  expect(() => planCluster(wanted, [beside])).toThrow(/taken by python3/)
})

test('of several servers the one on the port is meant; none is guessed', async () => {
  const wanted = await target()
  const two = machine('pg-1', { version: 16, port: 5433 }, { version: 17 })
  expect(planCluster(wanted, [two])).toMatchObject({ version: 17, primary: { cluster: { version: 17 } } })
  const neither = machine('pg-1', { port: 5433 }, { version: 16, port: 5434 })
  expect(() => planCluster(wanted, [{ ...neither, listener: '' }])).toThrow(
    /pg-1 has several servers: 17\/main on port 5433, 16\/main on port 5434/,
  )
})

test('a locale is known by either spelling; one that the machine lacks is refused', async () => {
  const german = await target({ 'postgres/main/locale': 'de_DE.UTF-8' })
  expect(() => checkMachine(machine('pg-1'), german)).not.toThrow()
  const french = await target({ 'postgres/main/locale': 'fr_FR.UTF-8' })
  expect(() => checkMachine(machine('pg-1'), french)).toThrow(/pg-1 has no locale fr_FR.UTF-8/)
})

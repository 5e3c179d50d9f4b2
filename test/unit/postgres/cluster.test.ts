import { describe, expect, test } from 'vitest'

import { errorBehind, HostError } from '../../../lib/host/errors.ts'
import { Hosts } from '../../../lib/host/hosts.ts'
import { findPrimary, findPrimaryAgain, type Reaching } from '../../../lib/postgres/cluster.ts'
import { estateOf, failure, RecordedRun, ScriptedMachine } from '../doubles.ts'
import { FakePostgres } from './fake-postgres.ts'
import { psqlOn } from './psql.ts'

const inventory = {
  networks: { internal: { cidr: '10.0.0.0/24' }, lan: { cidr: '192.0.2.0/24' } },
  hosts: {
    'pg-1': { addresses: { internal: '10.0.0.1', lan: '192.0.2.1' }, ssh: { network: 'lan' } },
    'pg-2': { addresses: { internal: '10.0.0.2', lan: '192.0.2.2' } },
    'vm-app': { addresses: { internal: '10.0.0.4' } },
  },
  postgres: { main: { hosts: ['pg-1', 'pg-2'], port: 5433 } },
}

type Answer = 'primary' | 'standby' | 'silent' | 'no psql'

/** A cluster whose machines answer so; `silent` may change while a test runs. */
async function clusterOf(answers: Record<string, Answer>) {
  const run = new RecordedRun()
  const machines = new Map<string, ScriptedMachine>()
  const estate = await estateOf(inventory)
  const hosts = new Hosts(estate, run, async (name) => {
    const postgres = new FakePostgres()
    const machine = new ScriptedMachine(
      name,
      async (call) => {
        postgres.standby = answers[name] === 'standby'
        if (answers[name] === 'silent') throw new HostError(name, 'unreachable', `no answer from ${name}`)
        if (answers[name] === 'no psql') {
          call.complain('bash: line 1: psql: command not found\n')
          return 127
        }
        return psqlOn(postgres)(call)
      },
      { dial: () => Promise.reject(new HostError(name, 'forward', 'not today')) },
    )
    machines.set(name, machine)
    return machine
  })
  const reaching: Reaching = { estate, hosts, run }
  return { reaching, machines }
}

describe('the primary', () => {
  test('is the one that says so, wherever it stands in the inventory', async () => {
    const { reaching } = await clusterOf({ 'pg-1': 'standby', 'pg-2': 'primary' })
    const primary = await findPrimary(reaching, 'main')
    expect(primary).toMatchObject({ server: { name: 'pg-2' }, version: 17, silent: [] })
  })

  test('is found though another machine does not answer, which is told', async () => {
    const { reaching } = await clusterOf({ 'pg-1': 'primary', 'pg-2': 'silent' })
    const { server, silent } = await findPrimary(reaching, 'main')
    expect(server.name).toBe('pg-1')
    expect(silent).toEqual([expect.stringContaining('pg-2: no answer from pg-2')])
  })

  test('is dialled at the address that the other side can reach', async () => {
    const { reaching, machines } = await clusterOf({ 'pg-1': 'primary', 'pg-2': 'standby' })
    const primary = await findPrimary(reaching, 'main')
    await failure(primary.dialFrom('vm-app'))
    expect(machines.get('vm-app')?.dialled).toEqual(['10.0.0.1:5433'])
  })
})

describe('no primary', () => {
  test('two of them', async () => {
    const { reaching } = await clusterOf({ 'pg-1': 'primary', 'pg-2': 'primary' })
    expect(await failure(findPrimary(reaching, 'main'))).toMatchObject({
      message: 'two primaries: pg-1 and pg-2',
      next: 'find out which one the app writes to, and stop the other one; nothing was changed',
    })
  })

  test('only standbys', async () => {
    const { reaching } = await clusterOf({ 'pg-1': 'standby', 'pg-2': 'standby' })
    expect(await failure(findPrimary(reaching, 'main'))).toMatchObject({
      message: 'pg-1, pg-2 are standbys, and no primary was found',
      next: expect.stringContaining('nothing was changed'),
    })
  })

  test('a standby, and one that does not answer', async () => {
    const { reaching } = await clusterOf({ 'pg-1': 'silent', 'pg-2': 'standby' })
    const { message } = await failure(findPrimary(reaching, 'main'))
    expect(message).toContain(
      'pg-2 is a standby, and no primary was found; no answer from the others: pg-1: no answer from pg-1',
    )
  })

  test('nobody answers: why the first one does not', async () => {
    const { reaching } = await clusterOf({ 'pg-1': 'silent', 'pg-2': 'silent' })
    const error = await failure(findPrimary(reaching, 'main'))
    expect(errorBehind(error, HostError)?.message).toBe('pg-1: no answer from pg-1')
  })

  test('a machine without PostgreSQL says so itself', async () => {
    const { reaching } = await clusterOf({ 'pg-1': 'no psql', 'pg-2': 'silent' })
    expect((await failure(findPrimary(reaching, 'main'))).message).toBe(
      'PostgreSQL on pg-1: bash: line 1: psql: command not found',
    )
  })
})

describe('waiting for the primary', () => {
  test('goes on when it has come back, whatever was said meanwhile', async () => {
    const answers: Record<string, Answer> = { 'pg-1': 'silent', 'pg-2': 'standby' }
    const { reaching } = await clusterOf(answers)
    const found = findPrimaryAgain(reaching, 'main', 20_000)
    answers['pg-1'] = 'primary'
    expect((await found).server.name).toBe('pg-1')
  })

  test('ends with the last answer when it was long enough', async () => {
    const { reaching } = await clusterOf({ 'pg-1': 'silent', 'pg-2': 'silent' })
    const error = await failure(findPrimaryAgain(reaching, 'main', -1))
    expect(errorBehind(error, HostError)?.message).toBe('pg-1: no answer from pg-1')
  })
})

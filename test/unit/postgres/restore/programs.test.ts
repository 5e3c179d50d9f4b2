import { expect, test } from 'vitest'

import { Hosts } from '../../../../lib/host/hosts.ts'
import { restoreProgram } from '../../../../lib/postgres/restore/programs.ts'
import { failure, RecordedRun, ScriptedMachine } from '../../doubles.ts'
import { shopEstate } from '../reset/shop.ts'

async function reaching(...versions: string[]) {
  const estate = await shopEstate()
  const run = new RecordedRun()
  const lines = versions.map(
    (version) => `/usr/lib/postgresql/${version.split('.')[0]}/bin pg_dump (PostgreSQL) ${version}\n`,
  )
  const machine = (name: string) =>
    new ScriptedMachine(name, ({ say }) => {
      say(lines.join(''))
      return 0
    })
  return { estate, run, hosts: new Hosts(estate, run, async (name) => machine(name)) }
}

const dump = { server: '16.4', pgDump: '17.6' }

test('the oldest that reads the dump and knows the server', async () => {
  const found = await restoreProgram(await reaching('15.8', '18.1', '17.6'), 'main', 'pg-1', 16, dump)
  expect(found).toMatchObject({ version: '17.6', folder: '/usr/lib/postgresql/17/bin' })
})

test('one that is too old for the dump is explained', async () => {
  const error = await failure(restoreProgram(await reaching('16.4'), 'main', 'pg-1', 16, dump))
  expect(error).toMatchObject({
    message: expect.stringMatching(/pg-1 has pg_restore 16\.4, and the dump was written by pg_dump 17\.6/),
    next: 'as root on pg-1: apt-get install postgresql-client-17',
  })
})

test('a server that is older than the one that was dumped is refused', async () => {
  const error = await failure(restoreProgram(await reaching('17.6'), 'main', 'pg-1', 15, dump))
  expect(error.message).toBe(
    'pg-1 is PostgreSQL 15, and the dump is of PostgreSQL 16: an older server does not take it',
  )
})

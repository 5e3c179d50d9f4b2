import { expect, test } from 'vitest'

import { type RoleFacts, roleStatements, type WantedRole } from '../../../lib/postgres/roles.ts'
import { makeVerifier } from '../../../lib/postgres/scram.ts'

const wanted: WantedRole = { name: 'app', password: 'right one', login: true, replication: false }
const there: RoleFacts = {
  name: 'app',
  login: true,
  replication: false,
  verifier: await makeVerifier('right one'),
}

async function statements(change: Partial<WantedRole>, found: Partial<RoleFacts> | undefined) {
  const hidden: string[] = []
  const all = await roleStatements({ ...wanted, ...change }, found && { ...there, ...found }, (secret) =>
    hidden.push(secret),
  )
  return { text: all.map(({ text }) => text).join('; '), hidden }
}

test('a role that is missing is made, with a verifier and never with its password', async () => {
  const { text, hidden } = await statements({}, undefined)
  expect(text).toMatch(/^create role "app" login password 'SCRAM-SHA-256\$4096:[^']+'$/)
  expect(text).not.toContain('right one')
  expect(text).toContain(hidden[0])
})

test('one that is as it should be is left alone', async () => {
  expect((await statements({}, {})).text).toBe('')
})

test('what it can do beside is left alone', async () => {
  expect((await statements({ login: false, password: undefined }, { replication: true })).text).toBe('')
})

test.each([
  ['a wrong password', { verifier: await makeVerifier('wrong one') }],
  ['an md5 hash', { verifier: 'md5c0ffee' }],
  ['no password', { verifier: null }],
])('%s is corrected', async (_, found) => {
  expect((await statements({}, found)).text).toMatch(/^alter role "app" password 'SCRAM/)
})

test('login and replication are given where they are missing', async () => {
  expect((await statements({ replication: true }, { login: false })).text).toBe(
    'alter role "app" login replication',
  )
})

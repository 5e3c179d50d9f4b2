import { expect, test } from 'vitest'

import { createSilentRoles, rolesIn } from '../../../../lib/postgres/restore/roles.ts'
import { FakePostgres, FakeServer } from '../fake-postgres.ts'

test('the roles of pg_dumpall, however they are called', () => {
  const globals = [
    '--',
    'CREATE ROLE postgres;',
    'ALTER ROLE postgres WITH SUPERUSER;',
    'CREATE ROLE ww_app;',
    `ALTER ROLE ww_app WITH LOGIN PASSWORD 'CREATE ROLE nobody;';`,
    'CREATE ROLE "Odd ""Name"";x";',
    'GRANT ww_app TO postgres;',
  ].join('\n')
  expect(rolesIn(globals)).toEqual(['postgres', 'ww_app', 'Odd "Name";x'])
  expect(rolesIn('')).toEqual([])
})

async function made(isSuperuser: boolean): Promise<string[]> {
  const server = new FakeServer(new FakePostgres())
  const sent: string[] = []
  server.change = async (statements) => void sent.push(...statements.map(({ text }) => text))
  await createSilentRoles(server, ['reader'], { name: 'admin', isSuperuser })
  return sent
}

test('who is no superuser becomes a member of the roles that it makes, to give tables to them', async () => {
  expect(await made(true)).toEqual(['create role "reader" nologin'])
  expect(await made(false)).toEqual(['create role "reader" nologin', 'grant "reader" to "admin"'])
})

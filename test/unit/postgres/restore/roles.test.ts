import { expect, test } from 'vitest'

import { rolesIn } from '../../../../lib/postgres/restore/roles.ts'

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

import { expect, test } from 'vitest'

import { changed, complaints } from '../sample.ts'

test.each([
  ['rs0/hosts', ['db', 'dbb'], ['rs0.hosts[1]: no host is called "dbb" | Did you mean "db"?']],
  ['rs0/hosts', ['db', 'db'], ['rs0.hosts[1]: "db" stands in the list twice']],
  [
    'rs0/replicaSet',
    undefined,
    ['rs0.hosts: 2 machines without "replicaSet" would each have data of their own'],
  ],
  [
    'rs0/databases/local',
    { environment: 'test' },
    ['rs0.databases.local: "local" belongs to MongoDB itself'],
  ],
  [
    'rs0/databases/a b',
    { environment: 'test' },
    ['rs0.databases["a b"]: has a character that MongoDB takes in no database name: one of /\\. "$*<>:|?'],
  ],
  ['rs0/login', undefined, []],
  [
    'main',
    { hosts: ['db'] },
    ['main: "main" is a PostgreSQL cluster too; "main/database" could mean either'],
  ],
])('mongo/%s = %j', async (path, value, expected) => {
  const found = await complaints(changed(`mongo/${path}`, value))
  expect(found).toEqual(expected.map((line) => `mongo.${line}`))
})

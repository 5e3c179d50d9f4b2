import { expect, test } from 'vitest'

import {
  describeBackups,
  destroyBackups,
  destroyProblems,
  proveDestroyed,
  type Shelf,
} from '../../../lib/backup/destroy.ts'
import { confirmDestruction } from '../../../lib/task/confirm.ts'
import { estateOf, failure } from '../doubles.ts'

const objectAt = (key: string, bytes = 1024) => ({ key, bytes, modified: new Date(0) })

function proofOf(name: string) {
  return confirmDestruction({ name, question: '', yes: true, dryRun: false, isTerminal: false })
}

/** A store that gives its versions two at a time, as a big one does a thousand. */
function shelf(...keys: string[]) {
  const left = keys.map((key, index) => ({ key, version: String(index) }))
  const aborted: string[] = []
  const store: Shelf = {
    name: 'bucket b',
    list: async (prefix) => left.flatMap(({ key }) => (key.startsWith(prefix) ? [objectAt(key)] : [])),
    versions: async (prefix) => left.filter(({ key }) => key.startsWith(prefix)).slice(0, 2),
    removeVersion: async (gone) => {
      left.splice(left.indexOf(gone), 1)
    },
    openUploads: async (prefix) => [{ key: `${prefix}upload`, id: '1', since: new Date(0) }],
    abortUpload: async ({ key }) => void aborted.push(key),
  }
  return { store, left, aborted }
}

async function estate(environment: string) {
  return estateOf(
    {
      hosts: { db: {} },
      postgres: {
        main: { hosts: ['db'], roles: { a: {} }, databases: { shop: { owner: 'a', environment } } },
      },
      backup: {
        store: {
          endpoint: 'http://192.0.2.9',
          bucket: 'test-backups',
          accessKey: 'env:KEY',
          secretKey: 'env:SECRET',
        },
        recipients: ['age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq'],
      },
    },
    {},
  )
}

test('all versions go, page after page, and unfinished uploads; what is of others stays', async () => {
  const { store, left, aborted } = shelf('shop/a', 'shop/a', 'shop/b', 'shop/b', 'shop/c', 'shop2/a')
  await destroyBackups(store, 'shop', await proofOf('shop'), false)
  expect(left.map(({ key }) => key)).toEqual(['shop2/a'])
  expect(aborted).toEqual(['shop/upload'])
  await proveDestroyed(store, 'shop')
  expect((await failure(proveDestroyed(store, 'shop2'))).message).toMatch(/has shop2\/a again/)
})

test('nothing goes without the word for this estate', async () => {
  const { store, left } = shelf('shop/a')
  const proof = await proofOf('other')
  await expect(destroyBackups(store, 'shop', proof, false)).rejects.toThrow(/must not be destroyed/)
  expect(left).toHaveLength(1)
})

test.each([
  ['development', { destroyData: true }, []],
  ['development', { destroyData: true, confirm: 'tset' }, ['--confirm tset does not name the estate test']],
  ['development', { destroyData: false, confirm: 'test' }, ['--confirm is for --destroy-data']],
  ['production', { destroyData: false }, []],
  ['production', { destroyData: true, confirm: 'test' }, []],
  [
    'production',
    { destroyData: true },
    ['test has backups of a production database; if you mean it: --confirm test'],
  ],
])('%s, %j: %j', async (environment, flags, problems) => {
  expect(destroyProblems(await estate(environment), flags)).toEqual(problems)
})

test('what would be gone is told by database', () => {
  const at = 'shop/postgres/main/shop'
  expect(
    describeBackups('shop', [
      objectAt(`${at}/20261101T023000Z/dump.age`),
      objectAt(`${at}/20261101T023000Z/manifest.json`),
      objectAt(`${at}/20261103T023000Z/dump.age`),
      objectAt('shop/folder/web/%2Fsrv%2Fa/20261101T023000Z/archive.tar.age'),
      objectAt('shop/note.txt'),
    ]),
  ).toEqual([
    'postgres/main/shop: 2 backups, 20261101T023000Z to 20261103T023000Z, 3.0 kB',
    'folder/web//srv/a: 1 backup, 20261101T023000Z, 1.0 kB',
    'note.txt: 1.0 kB',
  ])
})

import { expect, test } from 'vitest'

import { readDatabases } from '../../../../lib/postgres/catalog.ts'
import type { Properties } from '../../../../lib/postgres/dump/properties.ts'
import {
  createScratch,
  dropScratch,
  leftovers,
  lookalikes,
  scratchName,
  shapeOf,
} from '../../../../lib/postgres/restore/scratch.ts'
import { failure } from '../../doubles.ts'
import { FakePostgres, FakeServer } from '../fake-postgres.ts'

const now = new Date('2026-11-24T02:30:00Z')
/** As a manifest and an inventory may be. */
const plain = { properties: undefined, locale: undefined }
const ours = 'shop__verify_20261123T023000Z'

function serverWith(...databases: ({ name: string } & Partial<{ comment: string; owner: string }>)[]) {
  return new FakeServer(new FakePostgres({ name: 'template0', template: true }, ...databases))
}

test('names tell whose and when, and are never cut by PostgreSQL', () => {
  expect(scratchName('shop', 'verify', now)).toBe('shop__verify_20261124T023000Z')
  expect(() => scratchName('x'.repeat(40), 'verify', now)).toThrow(/2 bytes too long/)
})

test('leftovers are known by our mark, not by their name', async () => {
  const server = serverWith(
    { name: ours, comment: '[hausmeister scratch=verify]' },
    { name: 'shop__verify_20261122T023000Z', comment: 'somebody else made this' },
    { name: 'shop__restore_20261122T023000Z', comment: '[hausmeister scratch=restore]' },
    { name: 'shop_two__verify_20261122T023000Z', comment: '[hausmeister scratch=verify]' },
    { name: 'shop', comment: '[hausmeister environment=production]' },
  )
  const all = await readDatabases(server)
  expect(leftovers('shop', 'verify', all).map(({ name }) => name)).toEqual([ours])
  expect(lookalikes('shop', 'verify', all).map(({ name }) => name)).toEqual(['shop__verify_20261122T023000Z'])
})

test('only what bears the mark is dropped', async () => {
  const server = serverWith({ name: 'shop' }, { name: ours, comment: '[hausmeister scratch=verify]' })
  expect((await failure(dropScratch(server, 'shop'))).message).toMatch(/does not bear the mark/)
  await dropScratch(server, ours)
  await dropScratch(server, ours)
  expect(server.postgres.transcript).toEqual([`drop database "${ours}" with (force)`])
})

test('it is like the database of that name, from template0, and marked', async () => {
  const server = serverWith({ name: 'shop', owner: 'shop_app', comment: 'ours' })
  const like = shapeOf(await readDatabases(server), 'shop', 'nobody', plain)
  await createScratch(server, ours, { like, settings: { settings: [], grants: null } }, { scratch: 'verify' })
  expect(server.postgres.transcript.join('\n')).toMatch(
    /with owner "shop_app" template template0 encoding 'UTF8'/,
  )
  expect(server.postgres.get(ours).comment).toBe('[hausmeister scratch=verify]')
})

test('without one, it is what the server and the inventory say', async () => {
  const all = await readDatabases(serverWith())
  expect(shapeOf(all, 'shop', 'shop_app', plain)).toMatchObject({ owner: 'shop_app', collate: 'C.UTF-8' })
  expect(shapeOf(all, 'shop', 'shop_app', { ...plain, locale: 'de_DE.UTF-8' })).toMatchObject({
    provider: 'libc',
    encoding: 'UTF8',
    collate: 'de_DE.UTF-8',
    ctype: 'de_DE.UTF-8',
  })
})

const dumped: Properties = {
  encoding: 'LATIN1',
  provider: null,
  collate: 'de_DE.ISO-8859-1',
  ctype: 'de_DE.ISO-8859-1',
  locale: null,
  icuRules: null,
  connectionLimit: 40,
  words: 'our shop',
  settings: [],
  grants: null,
}
const text = { encoding: 'LATIN1', provider: 'libc', collate: 'de_DE.ISO-8859-1' }

test('of one that is gone, all is as it was dumped, whatever the inventory says of new ones', async () => {
  const all = await readDatabases(serverWith())
  const shape = shapeOf(all, 'shop', 'shop_app', { properties: dumped, locale: 'C.UTF-8' })
  expect(shape).toMatchObject({ ...text, owner: 'shop_app', connectionLimit: 40, words: '' })
})

test('of one that is there, only what its text needs', async () => {
  const all = await readDatabases(serverWith({ name: 'shop', owner: 'present' }))
  const shape = shapeOf(all, 'shop', 'shop_app', { ...plain, properties: dumped })
  expect(shape).toMatchObject({ ...text, owner: 'present', connectionLimit: -1 })
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { type DatabaseFacts, readDatabases } from '../../../lib/postgres/catalog.ts'
import { copyName, keptCopies, unfinishedReset } from '../../../lib/postgres/kept.ts'
import { FakePostgres, FakeServer } from './fake-postgres.ts'

const now = new Date('2026-11-21T02:14:11.987Z')

/** Databases as `name` or `name: comment`. */
function databases(...entries: string[]): Promise<DatabaseFacts[]> {
  const all = entries.map((entry) => {
    const [name = '', comment = null] = entry.split(': ')
    return { name, comment }
  })
  return readDatabases(new FakeServer(new FakePostgres(...all)))
}

describe('the name of a copy', () => {
  test('says what it is and when it was made, in UTC', () => {
    expect(copyName('shop', 'before_reset', now)).toBe('shop__before_reset_20261121T021411Z')
    expect(copyName('shop', 'before_restore', now)).toBe('shop__before_restore_20261121T021411Z')
    expect(copyName('shop', 'failed', now)).toBe('shop__failed_20261121T021411Z')
  })

  test('has at most 63 bytes, which PostgreSQL would cut', () => {
    const longest = 63 - '__before_reset_20261121T021411Z'.length
    expect(Buffer.byteLength(copyName('s'.repeat(longest), 'before_reset', now))).toBe(63)
    expect(() => copyName('s'.repeat(longest + 2), 'before_reset', now)).toThrow(
      `is 2 bytes too long for a database name; rename "${'s'.repeat(longest + 2)}" first`,
    )
    // Bytes, not letters.
    expect(() => copyName('ä'.repeat(longest), 'before_reset', now)).toThrow('bytes too long')
  })

  test('is found again, whatever the database is called', async () => {
    const names = fc.sample(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }).map((text) => text.replaceAll('\0', 'x')),
      50,
    )
    for (const name of names) {
      const all = await databases(name, copyName(name, 'before_reset', now))
      expect(keptCopies(name, all)).toMatchObject([{ kind: 'before_reset', time: '20261121T021411Z' }])
    }
  })
})

describe('kept copies', () => {
  test('are told newest first, and nothing else is one', async () => {
    const all = await databases(
      'shop',
      'shop__before_reset_20260101T000000Z',
      'shop__failed_20261121T021411Z',
      'shop__before_reset_20260601T000000Z',
      'shop__before_restore_20260301T000000Z',
      'shop__restore_20260301T000000Z',
      'shop__before_reset_yesterday',
      'shop__before_reset_20260601T000000Z_copy',
      'shop_2__before_reset_20260601T000000Z',
      'shop__eu__before_reset_20260601T000000Z',
      'shop__mine_20260601T000000Z',
    )
    expect(keptCopies('shop', all).map(({ facts }) => facts.name)).toEqual([
      'shop__failed_20261121T021411Z',
      'shop__before_reset_20260601T000000Z',
      'shop__before_restore_20260301T000000Z',
      'shop__before_reset_20260101T000000Z',
    ])
  })
})

describe('a reset that did not finish', () => {
  const kept = 'shop__before_reset_20261121T021411Z'

  test('none', async () => {
    expect(unfinishedReset('shop', await databases('shop'))).toBeUndefined()
    expect(
      unfinishedReset('shop', await databases('shop', `${kept}: [hausmeister reset=finished]`)),
    ).toBeUndefined()
    expect(unfinishedReset('shop', await databases())).toBeUndefined()
  })

  test('stopped when the door was closed', async () => {
    const all = await databases('shop: [hausmeister reset=closing]')
    expect(unfinishedReset('shop', all)).toMatchObject({ state: 'door closed', database: { name: 'shop' } })
  })

  test('stopped after the rename', async () => {
    const all = await databases(`${kept}: [hausmeister reset=unfinished]`)
    expect(unfinishedReset('shop', all)).toMatchObject({ state: 'renamed', old: { name: kept } })
  })

  test('stopped with a half-built one in the place of the old one', async () => {
    const all = await databases('shop', `${kept}: [hausmeister reset=unfinished]`)
    expect(unfinishedReset('shop', all)).toMatchObject({ old: { name: kept }, half: { name: 'shop' } })
  })

  test('of another database is none of this one', async () => {
    const all = await databases('shop', 'blog__before_reset_20261121T021411Z: [hausmeister reset=unfinished]')
    expect(unfinishedReset('shop', all)).toBeUndefined()
  })
})

import { expect, test } from 'vitest'

import { differences } from '../../../../lib/backup/mongo/compare.ts'
import type { Collection } from '../../../../lib/mongo/collections.ts'

function collection(documents: number, indexes = ['_id_']): Collection {
  return { kind: 'collection', documents, indexes }
}

test('the same is the same', () => {
  expect(differences({ users: collection(3) }, { users: collection(3) })).toEqual([])
})

test('each difference is told', () => {
  const dumped = {
    gone: collection(2),
    users: collection(3, ['_id_', 'name_1']),
    seen: { kind: 'view' as const, documents: 0, indexes: [] },
  }
  const found = { users: collection(2), more: collection(0), seen: collection(0, []) }
  expect(differences(dumped, found)).toEqual([
    'gone is missing, with its 2 documents',
    'more was not dumped, and is there',
    'seen is a collection, and was a view',
    'users has 2 documents, and had 3',
    'users has the indexes _id_, and had _id_, name_1',
  ])
})

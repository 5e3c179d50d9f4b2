import { expect, test } from 'vitest'

import { isBad, readBackups, type Shelf, verifiedAt } from '../../../lib/backup/backups.ts'
import { prefixOf, stampOf, timeOf } from '../../../lib/backup/layout.ts'
import type { Subject } from '../../../lib/backup/subject.ts'
import { estateOf } from '../doubles.ts'
import { manifestOf } from './sample.ts'

const subject: Subject = { kind: 'postgres', cluster: 'main', database: 'shop' }
const estate = await estateOf({})
const at = 'test/postgres/main/shop/20261101T020000Z'
const manifest = JSON.stringify(manifestOf({ parts: [{ name: 'dump.age', bytes: 10 }] }))

function shelf(objects: Record<string, string | number>): Shelf {
  return {
    list: async (prefix) =>
      Object.entries(objects)
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, content]) => ({
          key,
          bytes: typeof content === 'number' ? content : content.length,
          modified: new Date(0),
        })),
    readText: async (key) => {
      const content = objects[key]
      return typeof content === 'string' ? content : undefined
    },
  }
}

async function read(objects: Record<string, string | number>) {
  return readBackups(shelf(objects), estate, subject)
}

function evidence(when: string, outcome: string): string {
  return JSON.stringify({
    format: 1,
    by: 'ops@desk',
    at: when,
    restoreMs: 5,
    on: 'db',
    outcome,
    findings: [],
  })
}

test('the manifest makes it a backup, and only when all that it names is there', async () => {
  const states = await Promise.all([
    read({ [`${at}/dump.age`]: 10, [`${at}/manifest.json`]: manifest }),
    read({ [`${at}/dump.age`]: 10 }),
    read({ [`${at}/manifest.json`]: manifest }),
    read({ [`${at}/dump.age`]: 9, [`${at}/manifest.json`]: manifest }),
    read({ [`${at}/dump.age`]: 10, [`${at}/manifest.json`]: '{"format":1' }),
  ])
  expect(states.flat().map(({ state, why }) => [state, why])).toEqual([
    ['whole', undefined],
    ['incomplete', 'it has no manifest'],
    ['damaged', 'dump.age is not there'],
    ['damaged', 'dump.age has 9 bytes, and its manifest says 10'],
    ['damaged', 'its manifest cannot be read'],
  ])
})

test('the last restore counts, and evidence that cannot be read does not', async () => {
  const objects = {
    [`${at}/dump.age`]: 10,
    [`${at}/manifest.json`]: manifest,
    [`${at}/verified/20261102T020000Z.json`]: evidence('2026-11-02T02:00:00Z', 'good'),
    [`${at}/verified/20261104T020000Z.json`]: 'half',
  }
  const [good] = await read(objects)
  expect(good && [verifiedAt(good), isBad(good)]).toEqual([new Date('2026-11-02T02:00:00Z'), false])
  const [bad] = await read({
    ...objects,
    [`${at}/verified/20261103T020000Z.json`]: evidence('2026-11-03T02:00:00Z', 'bad'),
  })
  expect(bad && [verifiedAt(bad), isBad(bad)]).toEqual([undefined, true])
})

test('what somebody else put there is not taken for a backup', async () => {
  expect(await read({ 'test/postgres/main/shop/notes.txt': 'x', 'test/postgres/main/shop2/a': 'x' })).toEqual(
    [],
  )
})

test('a stamp is the time that it was made of', () => {
  const time = new Date('2026-11-01T02:00:00.000Z')
  expect(stampOf(time)).toBe('20261101T020000Z')
  expect(timeOf(stampOf(time))).toEqual(time)
  expect([timeOf('20261301T020000Z'), timeOf('notes')]).toEqual([undefined, undefined])
})

test('no name leads into another folder', () => {
  expect(prefixOf('e', { kind: 'postgres', cluster: 'a', database: '../b/c d' })).toBe(
    'e/postgres/a/..%2Fb%2Fc%20d/',
  )
  expect(prefixOf('e', { kind: 'folder', host: 'h', path: '/srv/x' })).toBe('e/folder/h/%2Fsrv%2Fx/')
})

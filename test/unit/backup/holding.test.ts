import { expect, test } from 'vitest'

import { freshnessOf } from '../../../lib/backup/freshness.ts'
import { readHolding, type Stock, strangersIn } from '../../../lib/backup/holding.ts'
import { describeHolding } from '../../../lib/backup/listing.ts'
import { isEmpty, planOf } from '../../../lib/backup/plan.ts'
import type { Subject } from '../../../lib/backup/subject.ts'
import { holdingWarnings } from '../../../lib/backup/warnings.ts'
import { Keep } from '../../../lib/inventory/inventory.ts'
import { estateOf } from '../doubles.ts'
import { manifestOf } from './sample.ts'

const subject: Subject = { kind: 'postgres', cluster: 'main', database: 'shop' }
const estate = await estateOf({})
const now = new Date('2026-11-24T05:00:00Z')
const policy = Keep.parse({})

interface Night {
  id: string
  restored?: 'good' | 'bad'
  manifest?: string | null
  database?: string
}

/** A store in which the backups are stored when they are dated. */
function stock(nights: Night[], uploads: { key: string; since: string; part?: string }[] = []): Stock {
  const objects = new Map<string, { content: string; modified: Date }>()
  for (const { id, restored, manifest, database = 'shop' } of nights) {
    const at = `test/postgres/main/${database}/${id}/`
    const [, day, time] = /^(\d{8})T(\d{6})Z$/.exec(id) ?? []
    const date = `${day?.replace(/(....)(..)(..)/, '$1-$2-$3')}T${time?.replace(/(..)(..)(..)/, '$1:$2:$3')}Z`
    const put = (key: string, content: string) =>
      objects.set(`${at}${key}`, { content, modified: new Date(date) })
    put('dump.age', '0123456789')
    if (manifest !== null)
      put('manifest.json', manifest ?? JSON.stringify(manifestOf({ database: 'shop', taken: date })))
    if (restored === undefined) continue
    const findings = restored === 'bad' ? ['public.orders has 2 rows, and its manifest says 3'] : []
    const evidence = {
      format: 1,
      by: 'ops@desk',
      at: '2026-11-24T04:00:00Z',
      restoreMs: 41_200,
      on: 'db',
      outcome: restored,
      findings,
    }
    objects.set(`${at}verified/20261124T040000Z.json`, { content: JSON.stringify(evidence), modified: now })
  }
  return {
    list: async (prefix) =>
      [...objects].flatMap(([key, { content, modified }]) =>
        key.startsWith(prefix) ? [{ key, bytes: content.length, modified }] : [],
      ),
    readText: async (key) => objects.get(key)?.content,
    openUploads: async (prefix) =>
      uploads
        .filter(({ key }) => key.startsWith(prefix))
        .map(({ key, since }) => ({ key, id: key, since: new Date(since) })),
    lastPart: async ({ key }) => {
      const part = uploads.find((upload) => upload.key === key)?.part
      return part === undefined ? undefined : new Date(part)
    },
  }
}

function night(day: number, other: Omit<Night, 'id'> = {}): Night {
  return { id: `202611${String(day).padStart(2, '0')}T023000Z`, ...other }
}

async function warnings(...args: Parameters<typeof stock>): Promise<string[]> {
  return holdingWarnings(await readHolding(stock(...args), estate, subject), policy, now)
}

const good = { restored: 'good' } as const

test('nothing is missing when the last nights were backed up and verified', async () => {
  expect(await warnings([night(22, good), night(23, good), night(24, good)])).toEqual([])
})

test('what is missing by policy is told', async () => {
  expect(await warnings([])).toEqual(['main/shop: it was never backed up'])
  expect(await warnings([night(24, { restored: 'bad' })])).toEqual([
    'main/shop: there is no whole backup',
    'main/shop: 20261124T023000Z could not be restored: public.orders has 2 rows, and its manifest says 3',
  ])
  expect(await warnings([night(24)])).toEqual(['main/shop: no backup was ever verified'])
  expect(await warnings([night(10, good), night(22)])).toEqual([
    'main/shop: the newest whole backup is 2 d old',
    'main/shop: the newest verified backup is 14 d old',
    'main/shop: 1 of at least 3 backups are verified; backup-prune removes none until then',
  ])
})

test('a backup of the future makes nothing fresh', async () => {
  const future = { id: '20300101T000000Z', ...good }
  const { backups } = await readHolding(stock([night(20, good), future]), estate, subject)
  expect(freshnessOf(backups, now)).toMatchObject({
    whole: { id: '20261120T023000Z' },
    verified: { id: '20261120T023000Z', restoreMs: 41_200, by: 'ops@desk' },
    verifiedCount: 1,
  })
  expect(await warnings([night(20, good), future])).toContain(
    'main/shop: 20300101T000000Z is dated in the future; the clock of who made it was wrong',
  )
})

test('a manifest in the wrong place, or gone after a restore, is damage', async () => {
  expect(
    await warnings([
      ...[22, 23, 24].map((day) => night(day, good)),
      night(20, { manifest: JSON.stringify(manifestOf({ database: 'stock' })) }),
      night(21, { manifest: null, ...good }),
    ]),
  ).toEqual([
    'main/shop: 20261120T023000Z is damaged: its manifest is that of main/stock',
    'main/shop: 20261121T023000Z is damaged: its manifest is not there any more',
  ])
})

test('an upload that still gets parts keeps its run from being removed', async () => {
  const at = 'test/postgres/main/shop/20261121T023000Z/globals.age'
  const nights = [...[22, 23, 24].map((day) => night(day, good)), night(21, { manifest: null })]
  const plan = async (part?: string) => {
    const upload = { key: at, since: '2026-11-21T03:00:00Z', ...(part === undefined ? {} : { part }) }
    return planOf(await readHolding(stock(nights, [upload]), estate, subject), policy, now)
  }
  expect(isEmpty(await plan('2026-11-24T04:59:00Z'))).toBe(true)
  const { removed, aborted } = await plan()
  expect([removed.map(({ backup }) => backup.id), aborted.map(({ key }) => key)]).toEqual([
    ['20261121T023000Z'],
    [at],
  ])
})

test('what the inventory does not name is found, and what is nobody’s is not', async () => {
  const store = stock([
    night(24),
    night(23, { database: 'old' }),
    { id: 'notes', database: 'x', manifest: null },
  ])
  expect(await strangersIn(store, estate, [subject])).toEqual([{ ...subject, database: 'old' }])
})

test('the table fits in 80 columns', async () => {
  const nights = [
    ...[22, 23].map((day) => night(day, good)),
    night(20, { restored: 'bad' }),
    night(21, { manifest: null }),
    night(24),
  ]
  const text = describeHolding(await readHolding(stock(nights), estate, subject), now)
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  expect(text.split('\n')).toMatchInlineSnapshot(`
    [
      "main/shop: 5 backups, 2.8 kB, newest 3 h old, verified 27 h old",
      "  backup            age   size       state       restored",
      "  20261124T023000Z  3 h   617 bytes  whole       never",
      "  20261123T023000Z  27 h  732 bytes  verified    1 h ago in 41.2 s by ops@desk",
      "  20261122T023000Z  2 d   732 bytes  verified    1 h ago in 41.2 s by ops@desk",
      "  20261121T023000Z  3 d   10 bytes   incomplete  was cut off",
      "  20261120T023000Z  4 d   782 bytes  bad         public.orders has 2 rows, and",
      "                                                 its manifest says 3",
    ]
  `)
})

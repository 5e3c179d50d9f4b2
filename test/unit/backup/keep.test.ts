import {
  array,
  assert,
  boolean,
  constantFrom,
  integer,
  option,
  property,
  record,
  uniqueArray,
} from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { Standing } from '../../../lib/backup/backups.ts'
import { type Candidate, isAhead, judge } from '../../../lib/backup/keep.ts'
import { stampOf } from '../../../lib/backup/layout.ts'
import { Keep } from '../../../lib/inventory/inventory.ts'

const hour = 60 * 60 * 1000
const day = 24 * hour
const now = new Date('2026-11-24T12:00:00Z')

function backup(begun: string | number, standing: Standing, stored?: string): Candidate {
  const time = new Date(begun)
  return { id: stampOf(time), begun: time, stored: stored ? new Date(stored) : time, standing }
}

function kept(backups: readonly Candidate[], policy: Partial<Keep> = {}, at = now): string[] {
  return judge(backups, Keep.parse(policy), at).flatMap(({ backup: { id }, keep }) => (keep ? [id] : []))
}

function nights(count: number, standing: (ago: number) => Standing = () => 'verified'): Candidate[] {
  return Array.from({ length: count }, (_, ago) =>
    backup(Date.parse('2026-11-24T02:30:00Z') - ago * day, standing(ago)),
  )
}

describe('the policy, by example', () => {
  test('seven days, when every night was verified', () => {
    expect(kept(nights(10))).toEqual(nights(7).map(({ id }) => id))
  })

  test('the days are counted from the last that was verified; what is newer stays', () => {
    // Verified up to five days ago, never since.
    const backups = nights(20, (ago) => (ago < 5 ? 'whole' : 'verified'))
    expect(kept(backups)).toEqual(nights(12).map(({ id }) => id))
  })

  test('when backups stop, nothing is removed, however late it is', () => {
    const backups = nights(7)
    expect(kept(backups, {}, new Date('2036-01-01'))).toHaveLength(7)
  })

  test('nothing is removed before the minimum is verified', () => {
    const backups = nights(20, (ago) => (ago < 2 ? 'verified' : ago === 9 ? 'bad' : 'whole'))
    expect(kept(backups)).toHaveLength(20)
    expect(kept(backups, { minimum: 2 })).toHaveLength(7)
    expect(kept(nights(20, () => 'whole'))).toHaveLength(20)
  })

  test('the last verified ones stay, however old they are', () => {
    const backups = nights(30, (ago) => ([0, 20, 25, 29].includes(ago) ? 'verified' : 'whole'))
    const ids = nights(30).map(({ id }) => id)
    expect(kept(backups, { daily: 2 })).toEqual([0, 1, 20, 25].map((ago) => ids[ago]))
  })

  test('one a day: the newest, or the newest that was verified', () => {
    const [morning, noon, evening] = ['02', '12', '20'].map((at) => `2026-11-20T${at}:00:00Z`)
    const old = nights(4)
    const two = (a: Standing, b: Standing, c: Standing) =>
      kept([
        ...old.slice(0, 3),
        backup(morning ?? '', a),
        backup(noon ?? '', b),
        backup(evening ?? '', c),
      ]).slice(3)
    expect(two('whole', 'whole', 'whole')).toEqual(['20261120T200000Z'])
    expect(two('verified', 'whole', 'whole')).toEqual(['20261120T020000Z'])
    expect(two('verified', 'verified', 'bad')).toEqual(['20261120T120000Z'])
  })

  test('weeks begin on Monday, and months on the first, in UTC', () => {
    const all = nights(70)
    const [, ...older] = kept(all, { daily: 1, weekly: 3, monthly: 3, minimum: 1 })
    // Sundays, and the last days of October and September.
    expect(older).toEqual(['20261122T023000Z', '20261115T023000Z', '20261031T023000Z', '20260930T023000Z'])
  })

  test('an hour that there is twice where summer time ends is no day more', () => {
    const backups = [
      ...nights(3),
      backup('2026-10-25T00:30:00Z', 'verified'),
      backup('2026-10-25T01:30:00Z', 'verified'),
    ]
    expect(kept(backups).slice(3)).toEqual(['20261025T013000Z'])
  })

  test('a run without a manifest goes when nothing of it came for a day', () => {
    const all = [
      ...nights(3),
      backup('2026-11-23T11:00:00Z', 'incomplete'),
      backup('2026-11-23T11:00:01Z', 'incomplete', '2026-11-23T13:00:00Z'),
      backup('2026-11-24T11:00:00Z', 'incomplete'),
    ]
    expect(kept(all)).not.toContain('20261123T110000Z')
    expect(kept(all)).toHaveLength(5)
  })

  test('what is damaged or bad goes when it is older than enough verified ones', () => {
    const broken = [
      backup('2026-11-24T08:00:00Z', 'damaged'),
      backup('2026-11-20T08:00:00Z', 'damaged'),
      backup('2026-11-20T09:00:00Z', 'bad'),
    ]
    expect(kept([...nights(3), ...broken])).toEqual(['20261124T080000Z', ...nights(3).map(({ id }) => id)])
    expect(kept([...nights(2), ...broken])).toHaveLength(5)
  })

  test('what is dated in the future takes no place', () => {
    const wrong = Array.from({ length: 10 }, (_, n) => backup(Date.parse('2030-01-01') + n * day, 'verified'))
    expect(kept([...nights(10), ...wrong])).toHaveLength(17)
  })

  test('what a clock has dated back stays until something newer is verified', () => {
    const back = backup('2020-01-01T02:00:00Z', 'whole', '2026-11-24T09:00:00Z')
    expect(kept([...nights(10), back])).toContain(back.id)
    const next = backup('2026-11-24T10:00:00Z', 'verified')
    expect(kept([...nights(10), back, next])).not.toContain(back.id)
  })

  test('each has its reason', () => {
    const backups = [
      backup('2026-11-24T08:00:00Z', 'whole'),
      ...nights(4),
      backup('2026-11-22T01:00:00Z', 'whole'),
      backup('2026-11-10T01:00:00Z', 'bad'),
      backup('2026-11-10T02:00:00Z', 'whole'),
    ]
    expect(judge(backups, Keep.parse({ daily: 3 }), now).map(({ keep, why }) => [keep, why])).toEqual([
      [true, 'newer than the newest that is verified'],
      [true, 'the newest that is verified'],
      [true, 'day 2026-11-23'],
      [true, 'day 2026-11-22'],
      [false, '20261122T023000Z is kept of that day'],
      [false, 'older than what is kept'],
      [false, 'older than what is kept'],
      [false, 'it could not be restored'],
    ])
  })
})

const epoch = Date.parse('2026-01-01T00:00:00Z')
const moment = integer({ min: 0, max: 400 * 24 * 60 }).map((minute) => new Date(epoch + minute * 60_000))
const standing = constantFrom<Standing>(
  'verified',
  'verified',
  'whole',
  'whole',
  'bad',
  'damaged',
  'incomplete',
)
/** Clocks that are right, jump back, or are ahead: when it was stored and what it is dated have nothing in common. */
const candidate = record({ begun: moment, stored: option(moment), standing }).map(
  ({ begun, stored, standing: is }): Candidate => ({
    id: stampOf(begun),
    begun,
    stored: stored ?? begun,
    standing: is,
  }),
)
const backups = uniqueArray(candidate, { selector: ({ id }) => id, maxLength: 60 })
const policy = record({
  daily: integer({ min: 1, max: 10 }),
  weekly: integer({ min: 0, max: 6 }),
  monthly: integer({ min: 0, max: 6 }),
  minimum: integer({ min: 1, max: 5 }),
})
const input = record({ all: backups, policy, at: moment })

function split({ all, policy: wanted, at }: { all: Candidate[]; policy: Keep; at: Date }) {
  const verdicts = judge(all, wanted, at)
  const pick = (keep: boolean) => verdicts.flatMap((one) => (one.keep === keep ? [one.backup] : []))
  return { kept: pick(true), removed: pick(false) }
}

function verified(all: readonly Candidate[]): Candidate[] {
  return all
    .filter((one) => one.standing === 'verified')
    .toSorted((a, b) => b.begun.getTime() - a.begun.getTime())
}

function usable(all: Candidate[]): Candidate[] {
  return all.filter((one) => one.standing !== 'incomplete')
}

describe('whatever there is, and whatever the clock says', () => {
  test('each backup is judged once', () => {
    assert(
      property(input, (given) => {
        const { kept: stay, removed } = split(given)
        expect(new Set([...stay, ...removed])).toEqual(new Set(given.all))
        expect(stay.length + removed.length).toBe(given.all.length)
      }),
    )
  })

  test('never fewer verified ones than the minimum, or than there were', () => {
    assert(
      property(input, (given) => {
        const { kept: stay } = split(given)
        const least = Math.min(given.policy.minimum, verified(given.all).length)
        expect(verified(stay).length).toBeGreaterThanOrEqual(least)
      }),
    )
  })

  test('never the newest verified one, nor a backup that is newer by either clock', () => {
    assert(
      property(input, (given) => {
        const past = given.all.filter(({ begun }) => !isAhead(begun, given.at))
        const [newest] = verified(past)
        for (const one of split(given).removed) {
          if (one.standing === 'incomplete') continue
          expect(newest && one !== newest && one.begun < newest.begun && one.stored <= newest.stored).toBe(
            true,
          )
        }
      }),
    )
  })

  test('never a backup that is whole when nothing is verified', () => {
    assert(
      property(input, (given) => {
        const all = given.all.filter((one) => one.standing !== 'verified')
        expect(split({ ...given, all }).removed.every((one) => one.standing === 'incomplete')).toBe(true)
      }),
    )
  })

  test('never a run that may still be going on', () => {
    assert(
      property(input, (given) => {
        for (const one of split(given).removed.filter((run) => run.standing === 'incomplete')) {
          expect(given.at.getTime() - one.begun.getTime()).toBeGreaterThanOrEqual(day)
          expect(given.at.getTime() - one.stored.getTime()).toBeGreaterThanOrEqual(day)
        }
      }),
    )
  })

  test('cut off anywhere and done again, it keeps the same', () => {
    assert(
      property(input, array(boolean(), { minLength: 60, maxLength: 60 }), (given, done) => {
        const { kept: stay, removed } = split(given)
        const left = given.all.filter((one) => stay.includes(one) || !done[removed.indexOf(one)])
        expect(split({ ...given, all: left }).kept).toEqual(stay)
        expect(split({ ...given, all: stay }).removed).toEqual([])
      }),
    )
  })

  test('a larger policy never keeps less', () => {
    assert(
      property(input, policy, (given, more) => {
        const larger = {
          daily: given.policy.daily + more.daily,
          weekly: given.policy.weekly + more.weekly,
          monthly: given.policy.monthly + more.monthly,
          minimum: given.policy.minimum + more.minimum,
        }
        const { kept: stay } = split({ ...given, policy: larger })
        expect(stay).toEqual(expect.arrayContaining(split(given).kept))
      }),
    )
  })

  test('backups that nobody verified push nothing out', () => {
    assert(
      property(input, integer({ min: 1, max: 30 }), (given, count) => {
        const all = given.all.filter(({ begun }) => !isAhead(begun, given.at))
        const last = Math.max(given.at.getTime(), ...all.map(({ stored }) => stored.getTime()))
        const more = Array.from({ length: count }, (_, n) => backup(last + (n + 1) * day, 'whole'))
        const at = new Date(last + (count + 2) * day)
        const before = split({ ...given, all, at })
        const after = split({ ...given, all: [...all, ...more], at })
        expect(usable(after.removed)).toEqual(usable(before.removed))
      }),
    )
  })

  test('a clock that is behind never removes more, where backups have their right times', () => {
    assert(
      property(input, integer({ min: 0, max: 400 }), (given, days) => {
        const all = given.all.map((one) => ({ ...one, stored: one.begun }))
        const behind = new Date(given.at.getTime() - days * day)
        const { kept: stay } = split({ ...given, all, at: behind })
        expect(stay).toEqual(expect.arrayContaining(split({ ...given, all }).kept))
      }),
    )
  })
})

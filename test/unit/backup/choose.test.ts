import { describe, expect, test } from 'vitest'

import type { Backup } from '../../../lib/backup/backups.ts'
import { describeBackup, toRestore, toVerify } from '../../../lib/backup/choose.ts'
import { timeOf } from '../../../lib/backup/layout.ts'
import type { Subject } from '../../../lib/backup/subject.ts'
import { TaskError } from '../../../lib/task/errors.ts'
import { manifestOf } from './sample.ts'

const subject: Subject = { kind: 'postgres', cluster: 'main', database: 'shop' }

function backup(day: number, state: Backup['state'], ...outcomes: ('good' | 'bad')[]): Backup {
  const id = `202611${String(day).padStart(2, '0')}T020000Z`
  return {
    subject,
    id,
    prefix: `test/postgres/main/shop/${id}/`,
    begun: timeOf(id) ?? new Date(0),
    state,
    why: state === 'whole' ? undefined : 'dump.age is not there',
    manifest: state === 'incomplete' ? undefined : manifestOf(),
    evidence: outcomes.map((outcome) => ({
      format: 1,
      by: 'ops@desk',
      at: '2026-11-20T04:00:00.000Z',
      restoreMs: 1000,
      on: 'db',
      outcome,
      findings: ['public.orders has 2 rows, and had 3'],
    })),
    objects: [],
  }
}

function refusal(work: () => unknown): TaskError {
  try {
    work()
  } catch (error) {
    if (error instanceof TaskError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('to be verified', () => {
  test('the newest whole one, also when it was bad or good before', () => {
    const all = [backup(1, 'whole'), backup(2, 'whole', 'bad'), backup(3, 'damaged'), backup(4, 'incomplete')]
    const { backup: chosen, remarks } = toVerify(subject, all)
    expect(chosen.id).toBe('20261102T020000Z')
    expect(remarks).toEqual([
      '20261103T020000Z is damaged: dump.age is not there',
      '20261104T020000Z is incomplete: dump.age is not there',
    ])
  })

  test('the one that is named, if it is whole', () => {
    const all = [backup(1, 'whole'), backup(2, 'damaged')]
    expect(toVerify(subject, all, '20261101T020000Z').backup.id).toBe('20261101T020000Z')
    expect(refusal(() => toVerify(subject, all, '20261102T020000Z')).message).toBe(
      '20261102T020000Z of main/shop is damaged: dump.age is not there',
    )
    expect(refusal(() => toVerify(subject, all, '20250101T000000Z'))).toMatchObject({
      code: 2,
      message: expect.stringMatching(/its newest are 20261101T020000Z, 20261102T020000Z/),
    })
  })

  test('none: what there is is told', () => {
    expect(refusal(() => toVerify(subject, [])).message).toMatch(/there is none at all/)
    expect(refusal(() => toVerify(subject, [backup(1, 'incomplete')])).seen).toMatch(/is incomplete/)
  })
})

describe('to be restored', () => {
  test('the newest that was found good; what is newer is told', () => {
    const all = [
      backup(1, 'whole', 'good'),
      backup(2, 'whole', 'bad', 'good'),
      backup(3, 'whole', 'good', 'bad'),
      backup(4, 'whole'),
      backup(5, 'damaged', 'good'),
    ]
    const { backup: chosen, remarks } = toRestore(subject, all)
    expect(chosen.id).toBe('20261102T020000Z')
    expect(remarks).toEqual([
      expect.stringMatching(/^20261103T020000Z is bad: public\.orders has 2 rows/),
      '20261104T020000Z is newer, and was never verified; --backup 20261104T020000Z takes it',
      '20261105T020000Z is damaged: dump.age is not there',
    ])
  })

  test('none was found good: the newest whole one, with a warning', () => {
    const all = [backup(1, 'whole'), backup(2, 'whole'), backup(3, 'whole', 'bad')]
    const { backup: chosen, remarks } = toRestore(subject, all)
    expect(chosen.id).toBe('20261102T020000Z')
    expect(remarks[0]).toBe('20261102T020000Z was never verified: it is restored unproven')
  })

  test('a bad one is refused, also by its name', () => {
    const all = [backup(3, 'whole', 'bad')]
    expect(refusal(() => toRestore(subject, all)).seen).toMatch(/is bad/)
    expect(refusal(() => toRestore(subject, all, '20261103T020000Z')).message).toMatch(
      /is bad: public\.orders has 2 rows, and had 3 \(restored .* on db\)$/,
    )
  })
})

test('what an operator reads of one', () => {
  const { backup: chosen } = toVerify(subject, [backup(1, 'whole', 'good')])
  expect(describeBackup(chosen, new Date('2026-11-01T05:12:01Z'))).toBe(
    '20261101T020000Z, 3 h 12 min old, verified 2026-11-20T04:00:00.000Z',
  )
})

import { expect, test } from 'vitest'

import { isCleanPrimary, parseControl, wasPrimary } from '../../../../lib/postgres/replication/control.ts'

/** Lines of pg_controldata 17. */
const text = `pg_control version number:            1700
Database system identifier:           7711751910009776589
Database cluster state:               in archive recovery
pg_control last modified:             Tue Nov 24 15:26:27 2026
Latest checkpoint location:           0/2000080
Latest checkpoint's REDO location:    0/2000028
Latest checkpoint's TimeLineID:       1
Latest checkpoint's PrevTimeLineID:   1
Time of latest checkpoint:            Tue Nov 24 15:26:26 2026
`

test('reads what a data directory says of itself', () => {
  expect(parseControl(text)).toEqual({
    system: '7711751910009776589',
    state: 'in archive recovery',
    timeline: 1,
    checkpoint: '0/2000080',
  })
})

function inState(state: string) {
  return parseControl(text.replace('in archive recovery', state))
}

test('tells a primary, and one that ended in good order, from a standby', () => {
  expect([wasPrimary(inState('in production')), isCleanPrimary(inState('in production'))]).toEqual([
    true,
    false,
  ])
  expect([wasPrimary(inState('shut down')), isCleanPrimary(inState('shut down'))]).toEqual([true, true])
  expect(wasPrimary(inState('shut down in recovery'))).toBe(false)
  expect(wasPrimary(inState('in archive recovery'))).toBe(false)
})

test('a text without its fields is an error, not a guess', () => {
  expect(() => parseControl('pg_controldata: error: could not open file')).toThrow()
})

import { expect, test } from 'vitest'

import { FlowError } from '../../../../lib/host/flow.ts'
import { dumpError } from '../../../../lib/postgres/dump/dump.ts'

// Words of PostgreSQL 17.
test.each([
  ['ERROR:  canceling statement due to conflict with recovery', /hot_standby_feedback/],
  ['ERROR:  canceling statement due to lock timeout', /pg-status/],
  ['ERROR:  relation "public.gone" does not exist', /run it again/],
  ['pg_dump: error: connection to server was lost', undefined],
])('%s', (seen, next) => {
  const error = dumpError(
    new FlowError('db', 'postgres', 'pg_dump shop', 'ended with exit code 1', seen),
    'shop',
  )
  expect(error).toMatchObject({
    message: 'the dump of shop failed: this on db as postgres ended with exit code 1: pg_dump shop',
    seen,
    next: next === undefined ? undefined : expect.stringMatching(next),
  })
})

test('what is not pg_dump stays what it is', () => {
  const error = new Error('the store is full')
  expect(dumpError(error, 'shop')).toBe(error)
})

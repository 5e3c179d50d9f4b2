import { expect, test } from 'vitest'

import { failuresError } from '../../../lib/backup/failures.ts'
import { TaskError } from '../../../lib/task/errors.ts'
import { exitCode } from '../../../lib/task/exit-code.ts'

const locked = new TaskError('is locked', { code: exitCode.locked, next: 'wait' })
const full = new TaskError('the store is full', { seen: 'HTTP 507', next: 'make room' })

test('all that failed are named, with what was seen and what to do', async () => {
  const error = await failuresError(
    [
      { name: 'main/shop', error: full },
      { name: 'main/blog', error: locked },
    ],
    3,
    'backed up',
  )
  expect(error).toMatchObject({
    message: '2 of 3 not backed up:\n- main/shop: the store is full\n- main/blog: is locked',
    seen: 'main/shop: HTTP 507',
    next: 'make room\nwait',
    code: exitCode.failed,
  })
})

test('one code for all is the code', async () => {
  const failures = ['main/shop', 'main/blog'].map((name) => ({ name, error: locked }))
  expect(await failuresError(failures, 2, 'backed up')).toMatchObject({ code: exitCode.locked, next: 'wait' })
})

test('a bug is told as one, and alone keeps its stack', async () => {
  const bug = new TypeError('x is undefined')
  expect(await failuresError([{ name: 'main/shop', error: bug }], 1, 'backed up')).toBe(bug)
  const both = await failuresError(
    [
      { name: 'main/shop', error: bug },
      { name: 'main/blog', error: full },
    ],
    2,
    'backed up',
  )
  expect(both).toMatchObject({
    message: expect.stringContaining('main/shop: a bug in hausmeister: x is undefined'),
    seen: expect.stringContaining('failures.test.ts'),
  })
})

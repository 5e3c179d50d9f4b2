import { describe, expect, test } from 'vitest'

import { describeError, fromProblems, TaskError } from '../../../lib/task/errors.ts'
import { exitCode } from '../../../lib/task/exit-code.ts'

describe('TaskError', () => {
  test('carries what was seen, the next command and the code', () => {
    const cause = new Error('connect ECONNREFUSED')
    const error = new TaskError('pg-primary does not answer', {
      seen: 'connect ECONNREFUSED 10.10.10.11:22',
      next: 'ping 10.10.10.11',
      code: exitCode.unreachable,
      cause,
    })
    expect(describeError(error)).toEqual({
      message: 'pg-primary does not answer',
      seen: 'connect ECONNREFUSED 10.10.10.11:22',
      next: 'ping 10.10.10.11',
      code: 3,
    })
    expect(error.cause).toBe(cause)
  })

  test('is a plain failure when nothing else is said', () => {
    expect(describeError(new TaskError('no table was created'))).toEqual({
      message: 'no table was created',
      code: 1,
    })
  })
})

describe('several problems', () => {
  test('become one error that names all of them', () => {
    const error = fromProblems(['PG_APP_PASSWORD is not set', 'pg-primary does not answer'])
    expect(error.message).toBe('2 problems:\n- PG_APP_PASSWORD is not set\n- pg-primary does not answer')
    expect(error.code).toBe(exitCode.usage)
  })

  test('a single one stands for itself, with the code it was given', () => {
    const error = fromProblems(['pg-primary does not answer'], {
      code: exitCode.unreachable,
      next: 'ping pg-primary',
    })
    expect(error).toMatchObject({ message: 'pg-primary does not answer', code: 3, next: 'ping pg-primary' })
  })
})

describe('anything else that is thrown', () => {
  test('is a bug, and keeps its stack', () => {
    const described = describeError(new TypeError('x is not a function'))
    expect(described.message).toBe('a bug in hausmeister: x is not a function')
    expect(described.seen).toContain('errors.test.ts')
    expect(described.code).toBe(1)
  })

  test('is shown even when it is no error', () => {
    expect(describeError('oops').message).toBe('a bug in hausmeister: oops was thrown, which is no error')
  })
})

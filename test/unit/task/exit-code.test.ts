import { expect, test } from 'vitest'

import { exitCode, exitCodeMeanings, outcomeOf } from '../../../lib/task/exit-code.ts'

test('the table of the README', () => {
  expect(exitCode).toEqual({ done: 0, failed: 1, usage: 2, unreachable: 3, locked: 75, cancelled: 130 })
})

test('every code leads back to its outcome', () => {
  for (const code of Object.values(exitCode)) expect(exitCode[outcomeOf(code)]).toBe(code)
})

test('help names every code', () => {
  expect(exitCodeMeanings.map(([code]) => code)).toEqual(Object.values(exitCode))
})

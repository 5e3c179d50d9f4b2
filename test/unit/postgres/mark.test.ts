import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { type Mark, readMark, writeMark } from '../../../lib/postgres/mark.ts'

const mark: fc.Arbitrary<Mark> = fc.record(
  {
    environment: fc.constantFrom('production', 'staging', 'development', 'test'),
    reset: fc.constantFrom('closing', 'unfinished', 'finished'),
    scratch: fc.constantFrom('verify', 'restore'),
  },
  { requiredKeys: [] },
)

/** What somebody wrote as a comment, quotes and brackets included; not already our mark. */
const words = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({
      unit: fc.constantFrom(..."a'\\[]= \n".split(''), '[hausmeister', 'environment=production'),
      maxLength: 30,
    }),
  )
  .map((text) => text.replaceAll('\0', ''))
  .filter((text) => readMark(text).words === text)

/** The comment that the statement would leave on the database. */
function commentOf(statement: string): string {
  const written = /^comment on database "shop" is  ?E?'(.*)'$/s.exec(statement)?.[1] ?? ''
  const escaped = statement.includes(" E'")
  const quotes = written.replaceAll("''", "'")
  return escaped ? quotes.replaceAll('\\\\', '\\') : quotes
}

test('what was noted is read again, and the words around it stay as they were', () => {
  fc.assert(
    fc.property(words, mark, (text, noted) => {
      const comment = commentOf(writeMark('shop', text, noted).text)
      expect(readMark(comment)).toEqual({ words: text, mark: noted })
    }),
    { numRuns: 2000 },
  )
})

test('the statement', () => {
  expect(writeMark('shop', "the shop's", { environment: 'production', reset: 'closing' }).text).toBe(
    `comment on database "shop" is 'the shop''s [hausmeister environment=production reset=closing]'`,
  )
  expect(writeMark('shop', '', {}).text).toBe(`comment on database "shop" is ''`)
})

describe('a comment that somebody has touched', () => {
  test.each([
    [null, '', {}],
    ['', '', {}],
    ['a shop', 'a shop', {}],
    ['a shop [hausmeister environment=production] \n', 'a shop', { environment: 'production' }],
    ['[hausmeister environment=production]', '', { environment: 'production' }],
    ['a shop [hausmeister]', 'a shop', {}],
    ['a shop [hausmeister environment=prod colour=red reset=finished]', 'a shop', { reset: 'finished' }],
    ['[hausmeister environment=test] was here', '[hausmeister environment=test] was here', {}],
  ])('%o', (comment, text, noted) => {
    expect(readMark(comment)).toEqual({ words: text, mark: noted })
  })
})

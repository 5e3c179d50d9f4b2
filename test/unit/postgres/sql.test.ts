import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { dollarQuoted, identifier, join, literal, sql } from '../../../lib/postgres/sql.ts'

const anyText = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(...`'"\\$E; -/*:@\n`.split(''), 'a', 'ä', '🏠'), maxLength: 40 }),
  )
  .map((text) => text.replaceAll('\0', ''))

/**
 * Reads a string constant as the manual describes them (4.1.2.1, 4.1.2.2).
 * @param conforming the setting standard_conforming_strings
 * @returns the value, and what stands behind the constant
 */
function readConstant(text: string, conforming: boolean): { value: string; rest: string } {
  const start = /^\s*(E?)'/.exec(text)
  if (!start) throw new Error(`no constant: ${text}`)
  const escapes = start[1] === 'E' || !conforming
  let value = ''
  for (let at = start[0].length; at < text.length; at += 1) {
    const [here = '', next = ''] = [text[at], text[at + 1]]
    if (escapes && here === '\\') {
      if (next !== '\\') throw new Error(`an escape that nobody meant: ${here}${next}`)
      value += next
      at += 1
    } else if (here !== "'") {
      value += here
    } else if (next === "'") {
      value += here
      at += 1
    } else {
      return { value, rest: text.slice(at + 1) }
    }
  }
  throw new Error(`no end: ${text}`)
}

function readName(text: string): { value: string; rest: string } {
  const [whole = '', inner = ''] = /^"((?:[^"]|"")*)"/.exec(text) ?? []
  if (whole === '') throw new Error(`no quoted name: ${text}`)
  return { value: inner.replaceAll('""', '"'), rest: text.slice(whole.length) }
}

describe('a value', () => {
  test.each([true, false])(
    'is the same when PostgreSQL reads it; standard_conforming_strings %s',
    (conforming) => {
      fc.assert(
        fc.property(anyText, anyText, (value, rest) => {
          // What follows a constant never is another quote, which would go on with it.
          const text = sql`${literal(value)} ${literal(rest)}`.text
          const first = readConstant(text, conforming)
          expect(first.value).toBe(value)
          expect(readConstant(first.rest, conforming)).toEqual({ value: rest, rest: '' })
        }),
        { numRuns: 2000 },
      )
    },
  )

  test('as somebody writes it by hand', () => {
    expect(literal("it's").text).toBe("'it''s'")
    expect(literal('').text).toBe("''")
    expect(literal(String.raw`C:\temp`).text).toBe(String.raw` E'C:\\temp'`)
  })

  test('keeps its distance from a word before it', () => {
    expect(sql`comment is${literal('\\')}`.text).toBe(String.raw`comment is E'\\'`)
  })
})

describe('a name', () => {
  test('is the same when PostgreSQL reads it', () => {
    fc.assert(
      fc.property(
        anyText.filter((name) => name !== ''),
        anyText,
        (name, rest) => {
          const text = sql`${identifier(name)}.${literal(rest)}`.text
          const read = readName(text)
          expect(read.value).toBe(name)
          expect(readConstant(read.rest.slice(1), true).value).toBe(rest)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('is always quoted, so that its case stays', () => {
    expect(identifier('Shop').text).toBe('"Shop"')
    expect(identifier('say "hi"').text).toBe('"say ""hi"""')
  })

  test('cannot be empty', () => {
    expect(() => identifier('')).toThrow('a PostgreSQL name cannot be empty')
  })
})

test('a long text stands in dollar quotes that it cannot end', () => {
  expect(dollarQuoted("it's\\n")).toBe("$text$it's\\n$text$")
  expect(dollarQuoted('do $text$ begin end $text$')).toBe('$text1$do $text$ begin end $text$$text1$')
  // The two together would be the end of it.
  expect(dollarQuoted('a$text')).toBe('$text1$a$text$text1$')
  fc.assert(
    fc.property(fc.array(fc.constantFrom('$', 'text', '1', '$text$', ' ')), (words) => {
      const text = words.join('')
      const quoted = dollarQuoted(text)
      const tag = /^\$\w+\$/.exec(quoted)?.[0] ?? ''
      expect(quoted.indexOf(tag, tag.length)).toBe(quoted.length - tag.length)
      expect(quoted.slice(tag.length, -tag.length)).toBe(text)
    }),
  )
})

test('NUL is refused', () => {
  expect(() => literal('a\0')).toThrow('no NUL character')
  expect(() => identifier('a\0')).toThrow('no NUL character')
  expect(() => dollarQuoted('a\0')).toThrow('no NUL character')
})

test('parts are put together', () => {
  const where = sql`datname = ${literal('shop')}`
  expect(sql`select ${identifier('a')} from t where ${where} limit ${3}`.text).toBe(
    `select "a" from t where datname = 'shop' limit 3`,
  )
  expect(join([identifier('a'), identifier('b')], ', ').text).toBe('"a", "b"')
  expect(join([], ', ').text).toBe('')
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { quote } from '../../../lib/host/quote.ts'
import { Redactor } from '../../../lib/host/redact.ts'
import { literal } from '../../../lib/postgres/sql.ts'

/** Generated, so that no line of this file looks like somebody's password. */
const secret = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 4, maxLength: 24 }),
    fc.string({
      unit: fc.constantFrom(...`aB3'"\\/%&+:@?# \n$\`{}ü`.split('')),
      minLength: 4,
      maxLength: 24,
    }),
  )
  // The bullet stands for what was hidden; a secret made of it could come about by hiding another one.
  .map((text) => text.replaceAll(/[\0•]/g, ''))
  .filter((text) => text.length >= 4)

function formsOf(one: string): Record<string, string> {
  const url = new URL('postgres://app@db.example/shop')
  url.password = one
  return {
    raw: one,
    shell: quote(one),
    sql: literal(one).text.trim(),
    json: JSON.stringify(one),
    uri: encodeURIComponent(one),
    url: url.password,
    form: new URLSearchParams([['password', one]]).toString(),
    base64: Buffer.from(one).toString('base64'),
  }
}

/** Without the quotes around it, which tell nothing. */
function core(form: string): string {
  return form.replace(/^(E?'|"|password=)/, '').replace(/['"]$/, '')
}

function redactorOf(...secrets: string[]): (text: string) => string {
  const redactor = new Redactor()
  for (const one of secrets) redactor.add(one)
  return redactor.redact
}

test('no form of a secret survives', () => {
  fc.assert(
    fc.property(fc.array(secret, { minLength: 1, maxLength: 3 }), (secrets) => {
      const redact = redactorOf(...secrets)
      for (const one of secrets) {
        for (const [name, form] of Object.entries(formsOf(one))) {
          const text = redact(`ALTER ROLE app; ${form}; done`)
          expect(text.includes(core(form)), `${name}: ${text}`).toBe(false)
        }
      }
    }),
    { numRuns: 1000 },
  )
})

test('a secret that is part of another one does not uncover the rest of it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.constant(''), secret), secret, secret, (before, inner, after) => {
      const outer = before + inner + after
      for (const redact of [redactorOf(inner, outer), redactorOf(outer, inner)]) {
        expect(redact(`password ${outer}.`)).toBe('password •••.')
      }
    }),
    { numRuns: 300 },
  )
})

test('text without secrets is unchanged', () => {
  const letters = fc.string({
    unit: fc.constantFrom(...'abcXYZ\'"\\'.split('')),
    minLength: 4,
    maxLength: 12,
  })
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789 \n.-;'.split('')), maxLength: 200 })
  fc.assert(
    fc.property(fc.array(letters), digits, (secrets, text) => {
      expect(redactorOf(...secrets)(text)).toBe(text)
    }),
  )
})

describe('what is hidden', () => {
  const word = `Pa$$'\\"${Math.random().toString(36)}`

  test('every place where it stands', () => {
    expect(redactorOf(word)(`${word} and ${word}`)).toBe('••• and •••')
  })

  test('also what was added after the first line was printed', () => {
    const redactor = new Redactor()
    expect(redactor.redact(word)).toBe(word)
    redactor.add(word)
    expect(redactor.redact(word)).toBe('•••')
  })

  test('nothing shorter than four characters, which would garble every line', () => {
    expect(redactorOf('abc')('abc')).toBe('abc')
  })

  test('signs that mean something in a pattern mean nothing here', () => {
    expect(redactorOf('a.*b')('axxb a.*b')).toBe('axxb •••')
  })
})

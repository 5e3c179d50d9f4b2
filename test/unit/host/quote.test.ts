import { execFileSync, spawnSync } from 'node:child_process'

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { quote } from '../../../lib/host/quote.ts'

/** Full Unicode without NUL; a lone surrogate is no text that UTF-8 could carry. */
const anyText = fc.string({ unit: 'binary', maxLength: 60 }).map((text) => text.replaceAll('\0', ''))

/** What a shell has a meaning for, in every order. */
const nasty = fc
  .array(
    fc.constantFrom(
      ...'\'"\\`$!&|;<>(){}[]*?~#=%^ \t\n\r\u0001\u001b\u007f'.split(''),
      '$(',
      '${',
      "'\\''",
      '\\\n',
      '-n',
      '--',
      'ä',
      '漢',
      '🏠',
      '\u2028',
      'a',
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''))

const shells = ['bash', 'dash'].filter((shell) => spawnSync(shell, ['-c', ':']).status === 0)

/** The arguments as a program gets them from that shell. */
function throughShell(shell: string, line: string): string[] {
  const output = execFileSync(shell, ['-c', `printf '%s\\0' ${line}`])
  return output.toString().split('\0').slice(0, -1)
}

describe.each(shells)('%s', (shell) => {
  test('10,000 arbitrary strings arrive unchanged', () => {
    const texts = [...fc.sample(anyText, 5000), ...fc.sample(nasty, 5000)]
    // One argument of a process may have 128 KiB.
    for (let start = 0; start < texts.length; start += 400) {
      const some = texts.slice(start, start + 400)
      expect(throughShell(shell, some.map((text) => quote(text)).join(' '))).toEqual(some)
    }
  })

  test('a second shell inside of the first one reads them too', () => {
    const texts = fc.sample(nasty, 300)
    const inner = `printf '%s\\0' ${texts.map((text) => quote(text)).join(' ')}`
    const output = execFileSync(shell, ['-c', `${shell} -c ${quote(inner)}`])
    expect(output.toString().split('\0').slice(0, -1)).toEqual(texts)
  })

  test('very long ones arrive unchanged', () => {
    const long = "it's a long way; ".repeat(5000)
    expect(throughShell(shell, quote(long))).toEqual([long])
  })
})

test('bash is there to be tested with', () => {
  expect(shells).toContain('bash')
})

test('what is harmless stays readable', () => {
  expect(quote('/etc/nginx/conf.d/app-1.conf')).toBe('/etc/nginx/conf.d/app-1.conf')
  expect(quote('10.10.10.11:5432')).toBe('10.10.10.11:5432')
})

test.each([
  ['', "''"],
  ['~', "'~'"],
  ['a=b', "'a=b'"],
  ["it's", String.raw`'it'\''s'`],
])('%o becomes %s', (text, quoted) => {
  expect(quote(text)).toBe(quoted)
})

test('NUL is refused, and its position is said', () => {
  expect(() => quote('ab\0c\0')).toThrow('a command argument cannot hold a NUL character (at position 2)')
  fc.assert(
    fc.property(anyText, anyText, (before, after) => {
      expect(() => quote(`${before}\0${after}`)).toThrow(`at position ${before.length}`)
    }),
    { numRuns: 200 },
  )
})

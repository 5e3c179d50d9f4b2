import { assert, constantFrom, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { duration, harmless, harmlessJson, linesOf, oneLine, wrap } from '../../../lib/task/text.ts'

describe('harmless', () => {
  test.each([
    ['colours', '\u001b[1;31mred\u001b[0m', 'red'],
    ['colours with colons', '\u001b[38:2:1:2:3mred', 'red'],
    ['a window title', 'a\u001b]0;owned\u0007b', 'ab'],
    ['the clipboard', 'a\u001b]52;c;aGk=\u001b\\b', 'ab'],
    ['a link keeps its text', '\u001b]8;;http://x\u001b\\text\u001b]8;;\u001b\\', 'text'],
    ['sixel pictures', 'a\u001bPq#0;2;0\u001b\\b', 'ab'],
    ['clearing the screen', 'a\u001b[2J\u001b[1;1Hb', 'ab'],
    ['eight-bit sequences', 'a\u009b31mb', 'ab'],
    ['a reset of the terminal', 'a\u001bcb', 'ab'],
    ['a title that never ends takes its line only', '\u001b]0;no end\nnext line', '\nnext line'],
    ['a lone escape is shown', 'a\u001b', String.raw`a\x1b`],
    ['a bell is shown', 'a\u0007b', String.raw`a\x07b`],
    ['text that reads backwards is shown', 'a\u202eb', String.raw`a\u202eb`],
    ['of a progress bar the last state', ' 10%\r 50%\r100%\r\nready', '100%\nready'],
    ['line ends of Windows', 'a\r\nb\r\n', 'a\nb\n'],
    ['tabs and umlauts stay', 'a\tä€😀', 'a\tä€😀'],
  ])('%s', (_, text, expected) => {
    expect(harmless(text)).toBe(expected)
  })

  test('leaves nothing a terminal acts on, whatever comes', () => {
    const nasty = string({
      unit: constantFrom(
        '\u001b',
        '[',
        ']',
        'P',
        '\u0007',
        '\\',
        '\r',
        '\n',
        '\u009b',
        '3',
        ';',
        'm',
        'x',
        '\u202e',
      ),
      maxLength: 40,
    })
    assert(
      property(nasty, (text) => {
        expect(harmless(text)).not.toMatch(/[^\n\t\u0020-\u007e]/)
      }),
    )
  })
})

test('JSON has no raw control character in it and still says the same', () => {
  const value = { text: 'a\u001b[31m\u0085\u009b\u2028\u202e\n' }
  const text = harmlessJson(value)
  expect(text).toMatch(/^[\u0020-\u007e]+$/)
  expect(JSON.parse(text)).toEqual(value)
})

test('one line for a title', () => {
  expect(oneLine('  two\n\tlines \u001b[1m')).toBe('two lines')
})

test('lines, without the empty ones at the end', () => {
  expect(linesOf('one\n\ntwo\n\n')).toEqual(['one', '', 'two'])
})

test.each([
  [0, '0 ms'],
  [85.4, '85 ms'],
  [999.4, '999 ms'],
  [999.9, '1.0 s'],
  [41_234, '41.2 s'],
  [59_949, '59.9 s'],
  [59_999, '1 min 0 s'],
  [125_000, '2 min 5 s'],
  [3_599_600, '1 h 0 min'],
  [3_720_000, '1 h 2 min'],
])('%d ms is %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})

test('wraps at spaces, keeps line breaks, and breaks no word', () => {
  expect(wrap('one two three\nfour incomprehensibilities', 8)).toEqual([
    'one two',
    'three',
    'four',
    'incomprehensibilities',
  ])
})

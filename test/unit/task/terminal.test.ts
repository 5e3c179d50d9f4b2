import { PassThrough } from 'node:stream'

import { describe, expect, test } from 'vitest'

import { lend, terminalKind, terminalProblems } from '../../../lib/task/terminal.ts'
import { failure } from '../doubles.ts'

function terminal() {
  const input = Object.assign(new PassThrough(), { setRawMode: () => {} })
  return { input, output: Object.assign(new PassThrough(), { columns: 80, rows: 24 }) }
}

test.each([
  [{ TERM: 'tmux-256color' }, { term: 'tmux-256color', colours: true }],
  [
    { TERM: 'xterm', NO_COLOR: '1' },
    { term: 'xterm', colours: false },
  ],
  [
    { TERM: 'xterm', NO_COLOR: '' },
    { term: 'xterm', colours: true },
  ],
  [{ TERM: 'dumb' }, { term: 'dumb', colours: false }],
  [{}, { term: 'xterm-256color', colours: true }],
])('%j is %j', (env, kind) => {
  expect(terminalKind(env)).toEqual(kind)
})

describe('a task that takes the terminal', () => {
  test('is refused without one', () => {
    expect(terminalProblems('pg-shell', { json: false }, undefined)).toEqual([
      'pg-shell gives the terminal to a program, and stdin and stdout are not both one',
    ])
  })

  test('is refused with --json, whether or not there is one: a problem, not two', () => {
    const refusal = ['pg-shell gives the terminal to a program, of which there is no JSON: leave out --json']
    expect(terminalProblems('pg-shell', { json: true }, undefined)).toEqual(refusal)
    expect(terminalProblems('pg-shell', { json: true }, terminal())).toEqual(refusal)
  })

  test('gets it', () => {
    expect(terminalProblems('pg-shell', { json: false }, terminal())).toEqual([])
  })
})

test('a program that ended has left the screen as it should be', async () => {
  const mine = terminal()
  expect(await lend(mine, async () => 7)).toBe(7)
  expect(mine.output.read()).toBeNull()
})

test('after one that was lost, pasting and colours are as usual, and a new line begins', async () => {
  const mine = terminal()
  await failure(lend(mine, () => Promise.reject(new Error('lost'))))
  expect(String(mine.output.read())).toBe('\u001b[?2004l\u001b[0m\n')
})

import { describe, expect, test } from 'vitest'

import type { TaskEventBody } from '../../../lib/task/events.ts'
import { plainReporter } from '../../../lib/task/plain.ts'
import type { PlainOptions } from '../../../lib/task/plain.ts'
import { happened, Screen } from './screen.ts'

/** Runs events through the reporter, a second apart; a stream that is no terminal unless told. */
function printed(bodies: readonly TaskEventBody[], options: PlainOptions = {}, isTTY = false) {
  const stdout = new Screen(isTTY)
  const stderr = new Screen(isTTY)
  const reporter = plainReporter({ stdout: stdout.stream, stderr: stderr.stream }, { env: {}, ...options })
  for (const [second, body] of bodies.entries()) reporter.event(happened(body, second))
  return { stdout: stdout.written, stderr: stderr.written }
}

const reset: TaskEventBody = {
  event: 'change',
  state: 'done',
  host: 'pg-primary',
  user: 'postgres',
  command: 'psql -X -d postgres',
  input: 'CREATE DATABASE weltenwind\n  OWNER ww_app;\n',
}
const wellDone: readonly TaskEventBody[] = [
  {
    event: 'start',
    flags: { database: 'weltenwind', skipSeed: true, undo: false, table: ['a'] },
    dryRun: false,
  },
  { event: 'step', state: 'started', title: 'Find the primary' },
  { event: 'progress', title: 'Find the primary', detail: 'asking pg-primary' },
  { event: 'step', state: 'done', title: 'Primary is pg-primary', ms: 212 },
  { event: 'note', text: '34 MB, 12 tables\n3 sessions of ww_app from 10.10.10.14' },
  { event: 'step', state: 'skipped', title: 'Seed', detail: '--skip-seed' },
  reset,
  { ...reset, state: 'unchanged', command: 'chmod 600 /etc/app.env', input: undefined },
  { event: 'end', outcome: 'done', changed: 7, unchanged: 2, code: 0, ms: 41_234 },
]
const failed: readonly TaskEventBody[] = [
  { event: 'start', flags: { database: 'weltenwind' }, dryRun: false },
  { event: 'step', state: 'started', title: 'Migrate weltenwind' },
  {
    ...reset,
    state: 'failed',
    host: 'vm-app',
    user: 'ops',
    command: 'npx prisma migrate deploy',
    input: undefined,
  },
  { event: 'step', state: 'failed', title: 'Migrate weltenwind', ms: 2100 },
  {
    event: 'error',
    message: 'the migration failed on vm-app: exit code 1',
    seen: 'Applying 20250101_init\n\u001b[31mError: P3009\u001b[0m\n',
    next: 'npx tsx tasks/pg-reset.ts --database weltenwind --undo',
    code: 1,
  },
  { event: 'end', outcome: 'failed', changed: 3, unchanged: 0, code: 1, ms: 12_345 },
]

const facts: TaskEventBody = { event: 'data', name: 'cluster', data: { servers: 2 }, text: 'main\n  pg-1\n' }

test('a run whose only act failed half-way does not say that nothing was changed', () => {
  const end: TaskEventBody = { event: 'end', outcome: 'failed', changed: 0, unchanged: 0, code: 1, ms: 5 }
  expect(printed([{ ...reset, state: 'failed' }, end]).stderr).toContain('after 5 ms, 0 changed, 1 failed')
  expect(printed([end]).stderr).toContain('after 5 ms, nothing was changed')
})

test('facts are shown as text, each line of it, and not with --quiet', () => {
  expect(printed([facts]).stdout).toBe('2025-11-21T02:24:00.000Z note   main\n    pg-1\n')
  expect(printed([facts], { quiet: true })).toEqual({ stdout: '', stderr: '' })
})

describe('a run that goes well', () => {
  test('is a line for each thing that happened', () => {
    expect(printed(wellDone)).toEqual({
      stdout: `\
2025-11-21T02:24:00.000Z run    pg-reset: database=weltenwind skipSeed table=["a"]
2025-11-21T02:24:01.000Z start  Find the primary
2025-11-21T02:24:03.000Z done   Primary is pg-primary (212 ms)
2025-11-21T02:24:04.000Z note   34 MB, 12 tables
  3 sessions of ww_app from 10.10.10.14
2025-11-21T02:24:05.000Z skip   Seed: --skip-seed
2025-11-21T02:24:08.000Z end    pg-reset: done in 41.2 s, 7 changed, 2 unchanged
`,
      stderr: '',
    })
  })

  test('with --quiet says nothing at all', () => {
    expect(printed(wellDone, { quiet: true })).toEqual({ stdout: '', stderr: '' })
  })

  test('with --verbose names the changes, without what they were given', () => {
    const { stdout } = printed(wellDone, { verbose: true })
    expect(stdout).toContain('06.000Z change pg-primary (postgres): psql -X -d postgres\n2025')
    expect(stdout).toContain('07.000Z same   pg-primary (postgres): chmod 600 /etc/app.env\n')
  })
})

describe('a run that fails', () => {
  const errors = `\
2025-11-21T02:24:04.000Z error  the migration failed on vm-app: exit code 1
  seen:
  | Applying 20250101_init
  | Error: P3009
  next: npx tsx tasks/pg-reset.ts --database weltenwind --undo
2025-11-21T02:24:05.000Z end    pg-reset: failed at "Migrate weltenwind" after 12.3 s, 3 changed, 0 unchanged
`

  test('ends with what failed, what was seen, and the next command, on stderr', () => {
    expect(printed(failed)).toEqual({
      stdout: `\
2025-11-21T02:24:00.000Z run    pg-reset: database=weltenwind
2025-11-21T02:24:01.000Z start  Migrate weltenwind
2025-11-21T02:24:02.000Z failed vm-app (ops): npx prisma migrate deploy
2025-11-21T02:24:03.000Z failed Migrate weltenwind (2.1 s)
`,
      stderr: errors,
    })
  })

  test('with --quiet prints the same errors and nothing else', () => {
    expect(printed(failed, { quiet: true })).toEqual({ stdout: '', stderr: errors })
  })

  test('before anything was changed, says so', () => {
    const { stderr } = printed([
      {
        event: 'error',
        message: '2 problems:\n- PG_APP_PASSWORD is not set\n- pg-primary does not answer',
        code: 3,
      },
      { event: 'end', outcome: 'unreachable', changed: 0, unchanged: 0, code: 3, ms: 400 },
    ])
    expect(stderr).toBe(`\
2025-11-21T02:24:00.000Z error  2 problems:
  - PG_APP_PASSWORD is not set
  - pg-primary does not answer
2025-11-21T02:24:01.000Z end    pg-reset: machine unreachable, stopped after 400 ms, nothing was changed
`)
  })
})

describe('a dry run', () => {
  test('shows every change with what it would be given, and counts them', () => {
    const { stdout } = printed([
      { event: 'start', flags: {}, dryRun: true },
      { ...reset, state: 'would' },
      { ...reset, state: 'would', command: 'bash -c "\n  systemctl reload nginx\n"', input: '<34 bytes>' },
      { event: 'end', outcome: 'done', changed: 0, unchanged: 2, code: 0, ms: 900 },
    ])
    expect(stdout).toBe(`\
2025-11-21T02:24:00.000Z run    pg-reset, dry run, nothing will be changed
2025-11-21T02:24:01.000Z would  pg-primary (postgres): psql -X -d postgres
  | CREATE DATABASE weltenwind
  |   OWNER ww_app;
2025-11-21T02:24:02.000Z would  pg-primary (postgres): bash -c "
      systemctl reload nginx
    "
  | <34 bytes>
2025-11-21T02:24:03.000Z end    pg-reset: dry run done in 900 ms, 2 would change, 2 unchanged
`)
  })
})

test('a warning is shown even with --quiet, on stderr', () => {
  const { stdout, stderr } = printed(
    [{ event: 'note', text: 'the journal cannot be written', warning: true }],
    { quiet: true },
  )
  expect(stdout).toBe('')
  expect(stderr).toBe('2025-11-21T02:24:00.000Z warn   the journal cannot be written\n')
})

test('what a machine says cannot take over the terminal', () => {
  const { stdout, stderr } = printed([
    { event: 'start', flags: { database: 'a\u001b[2Jb' }, dryRun: false },
    { event: 'step', state: 'done', title: '\u001b]0;owned\u0007Ready\nnow', detail: '\u001b[31mred' },
    { event: 'note', text: '10%\r100%\u0007' },
    { ...reset, state: 'would', command: 'echo \u001b[8mhidden', input: '\u001bc' },
    { event: 'error', message: '\u009b31mred', seen: 'a\u001b', next: '\u001b[0mls', code: 1 },
  ])
  expect(stdout + stderr).not.toMatch(/[^\n\u0020-\u007e]/)
})

describe('colours', () => {
  const step: TaskEventBody = { event: 'step', state: 'done', title: 'Ready' }

  test('on a terminal', () => {
    expect(printed([step], {}, true).stdout).toContain('\u001b[32mdone  \u001b[39m')
  })

  test.each([
    ['in a pipe', {}, false],
    ['with NO_COLOR', { NO_COLOR: '1' }, true],
    ['on a dumb terminal', { TERM: 'dumb' }, true],
  ])('none %s', (_, env, isTTY) => {
    expect(printed([step], { env }, isTTY).stdout).not.toContain('\u001b')
  })
})

test('a prompt is asked as it comes', async () => {
  const screen = new Screen(false)
  const reporter = plainReporter({ stdout: screen.stream, stderr: screen.stream })
  expect(await reporter.ask(() => Promise.resolve('weltenwind'))).toBe('weltenwind')
  await reporter.end()
})

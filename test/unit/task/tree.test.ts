import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { TaskEventBody } from '../../../lib/task/events.ts'
import type { Reporter } from '../../../lib/task/output.ts'
import { treeReporter } from '../../../lib/task/tree.ts'
import { happened, Screen } from './screen.ts'

let screen: Screen
let errors: Screen
let reporter: Reporter

beforeEach(() => {
  screen = new Screen()
  errors = new Screen()
  reporter = treeReporter({ stdout: screen.stream, stderr: errors.stream }, { env: {} })
})

afterEach(() => reporter.end())

function tell(...bodies: TaskEventBody[]): void {
  for (const body of bodies) reporter.event(happened(body))
}

function started(title: string): TaskEventBody {
  return { event: 'step', state: 'started', title }
}

function done(title: string, ms = 1200): TaskEventBody {
  return { event: 'step', state: 'done', title, ms }
}

const change = {
  event: 'change',
  host: 'pg-primary',
  user: 'postgres',
  command: 'psql -X',
  input: 'DROP …;',
} as const
const end: TaskEventBody = { event: 'end', outcome: 'done', changed: 7, unchanged: 2, code: 0, ms: 41_234 }

describe('a run that goes well', () => {
  test('leaves its steps, what they said, and a summary', async () => {
    tell(
      { event: 'start', flags: { database: 'weltenwind' }, dryRun: false },
      started('Find the primary'),
      done('Primary is pg-primary'),
      started('Look at weltenwind'),
      { event: 'note', text: '34 MB, 12 tables\n3 sessions' },
      { event: 'progress', title: 'Look at weltenwind', detail: 'counting' },
      { ...change, state: 'done' },
      { event: 'step', state: 'done', title: 'Look at weltenwind', detail: 'old schema', ms: 85 },
      { event: 'step', state: 'skipped', title: 'Seed', detail: '--skip-seed' },
      end,
    )
    await reporter.end()
    expect(screen.lines).toEqual([
      'pg-reset: database=weltenwind',
      '✔ Primary is pg-primary (1.2 s)',
      '✔ Look at weltenwind: old schema (85 ms)',
      '  34 MB, 12 tables',
      '  3 sessions',
      '↓ Seed: --skip-seed',
      'pg-reset: done in 41.2 s, 7 changed, 2 unchanged',
    ])
    expect(errors.written).toBe('')
    expect(screen.cursorIsHidden).toBe(false)
  })

  test('draws the step that runs, with what it is at', async () => {
    tell(started('Dump weltenwind'), { event: 'progress', title: 'Dump weltenwind', detail: 'users: 40 %' })
    await screen.shows('users: 40 %')
    expect(screen.lines).toEqual([expect.stringMatching(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] Dump weltenwind$/), '  › users: 40 %'])
    tell(done('Dump weltenwind'), end)
    await reporter.end()
    expect(screen.lines).toEqual([
      '✔ Dump weltenwind (1.2 s)',
      'pg-reset: done in 41.2 s, 7 changed, 2 unchanged',
    ])
  })

  test('a step of a step stands under it', async () => {
    tell(started('Reset'), started('Rename'))
    await screen.shows('Rename')
    expect(screen.lines).toEqual([expect.stringContaining('Reset'), expect.stringMatching(/^ {2}. Rename$/)])
    tell({ event: 'note', text: 'kept' }, done('Rename'), done('Reset'))
    await reporter.end()
    expect(screen.lines).toEqual(['  ✔ Rename (1.2 s)', '    kept', '✔ Reset (1.2 s)'])
  })

  test('the streams are held while a step is drawn, and given back', async () => {
    tell(started('Dump'))
    await screen.shows('Dump')
    screen.stream.write('held\n')
    expect(screen.written).not.toContain('held')
    tell(done('Dump'))
    await reporter.end()
    screen.stream.write('through\n')
    expect(screen.lines).toEqual(['held', '✔ Dump (1.2 s)', 'through'])
    expect(screen.cursorIsHidden).toBe(false)
  })

  test('many steps at once, faster than they can be drawn, stay in order', async () => {
    const titles = Array.from({ length: 30 }, (_, index) => `Step ${index}`)
    tell(...titles.flatMap((title) => [started(title), done(title)]))
    await reporter.end()
    expect(screen.lines).toEqual(titles.map((title) => `✔ ${title} (1.2 s)`))
  })
})

describe('a dry run', () => {
  test('shows under each step what it would do', async () => {
    tell(
      { event: 'start', flags: {}, dryRun: true },
      started('Drop weltenwind'),
      { ...change, state: 'would', input: 'DROP DATABASE weltenwind;\nSELECT 1;' },
      done('Drop weltenwind'),
      { event: 'end', outcome: 'done', changed: 0, unchanged: 0, code: 0, ms: 900 },
    )
    await reporter.end()
    expect(screen.lines).toEqual([
      'pg-reset, dry run, nothing will be changed',
      '✔ Drop weltenwind (1.2 s)',
      '  would pg-primary (postgres): psql -X',
      '    | DROP DATABASE weltenwind;',
      '    | SELECT 1;',
      'pg-reset: dry run done in 900 ms, 1 would change, 0 unchanged',
    ])
  })

  test('what is longer than the terminal is high is there to the last line', async () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`)
    tell(started('Write'), { ...change, state: 'would', input: lines.join('\n') }, done('Write'))
    await reporter.end()
    expect(screen.lines.slice(2)).toEqual(lines.map((line) => `    | ${line}`))
  })
})

describe('a run that fails', () => {
  test('ends with what failed, what was seen, and the next command, on stderr', async () => {
    tell(
      started('Migrate'),
      { ...change, state: 'failed', input: undefined },
      { event: 'step', state: 'failed', title: 'Migrate', ms: 2100 },
      {
        event: 'error',
        message: 'psql ended with exit code 1',
        seen: 'ERROR: no\n',
        next: 'see the log',
        code: 1,
      },
      { event: 'end', outcome: 'failed', changed: 3, unchanged: 0, code: 1, ms: 12_345 },
    )
    await reporter.end()
    expect(screen.lines).toEqual(['✖ Migrate (2.1 s)', '  failed pg-primary (postgres): psql -X'])
    expect(errors.lines).toEqual([
      'error: psql ended with exit code 1',
      '  seen:',
      '  | ERROR: no',
      '  next: see the log',
      'pg-reset: failed at "Migrate" after 12.3 s, 3 changed, 0 unchanged',
    ])
  })

  test('in the middle of a step still shows what the step said', async () => {
    tell(started('Look'), { event: 'note', text: 'two primaries: pg-1 and pg-2' })
    await reporter.end()
    expect(screen.lines).toEqual(['… Look', '  two primaries: pg-1 and pg-2'])
    expect(screen.cursorIsHidden).toBe(false)
  })

  test('facts that were asked for stand under the step', async () => {
    tell(started('Look'), { event: 'data', name: 'cluster', data: {}, text: 'main\n  pg-1' }, done('Look'))
    await reporter.end()
    expect(screen.lines).toEqual(['✔ Look (1.2 s)', '  main', '    pg-1'])
  })

  test('a warning does not wait for the step to end', async () => {
    tell(started('Look'), { event: 'note', text: 'pg-replica does not answer', warning: true })
    await errors.shows('warning: pg-replica does not answer')
    await screen.shows('Look')
  })
})

describe('a question', () => {
  test('before the first step has the screen to itself', async () => {
    tell({ event: 'note', text: '34 MB, 12 tables' })
    const answer = await reporter.ask(async () => {
      expect(screen.lines).toEqual(['34 MB, 12 tables'])
      screen.stream.write('? Type "weltenwind": weltenwind\n')
      return 'weltenwind'
    })
    tell(started('Drop'), done('Drop'))
    await reporter.end()
    expect(answer).toBe('weltenwind')
    expect(screen.lines).toEqual(['34 MB, 12 tables', '? Type "weltenwind": weltenwind', '✔ Drop (1.2 s)'])
  })

  test('in the middle of a step takes the step off the screen, and shows what it said before', async () => {
    tell(started('Look'), { event: 'note', text: '12 tables' })
    await screen.shows('12 tables')
    await reporter.ask(async () => {
      expect(screen.lines).toEqual(['… Look', '  12 tables'])
      expect(screen.cursorIsHidden).toBe(false)
      tell({ event: 'note', text: 'said while asking' })
      screen.stream.write('? password: ****\n')
      return ''
    })
    await screen.shows('said while asking')
    tell(done('Look'))
    await reporter.end()
    expect(screen.lines).toEqual([
      '… Look',
      '  12 tables',
      '? password: ****',
      '✔ Look (1.2 s)',
      '  said while asking',
    ])
  })

  test('that is refused leaves the step where it was', async () => {
    tell(started('Look'))
    await expect(reporter.ask(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await screen.shows('Look')
  })
})

test('Ctrl-C is left to the life of the task', async () => {
  tell(started('Look'))
  await screen.shows('Look')
  // listr2's handler would end the process with 127.
  expect(process.listeners('SIGINT').map((listener) => listener.name)).not.toContain('bound signalHandler')
})

test('what a machine says cannot take over the terminal', async () => {
  tell(
    started('\u001b]0;owned\u0007Look'),
    { event: 'progress', title: 'Look', detail: '\u001b[2Jcleared' },
    { event: 'note', text: 'a\u001b[8mb\u0007' },
  )
  await screen.shows('cleared')
  tell(done('\u001b[31mLook'))
  await reporter.end()
  expect(screen.written).not.toContain('owned')
  for (const harm of ['\u0007', '\u001b[2J', '\u001b[8m', '\u001b]'])
    expect(screen.written).not.toContain(harm)
})

test('NO_COLOR leaves no colour', async () => {
  reporter = treeReporter({ stdout: screen.stream, stderr: errors.stream }, { env: { NO_COLOR: '1' } })
  tell({ event: 'start', flags: {}, dryRun: false }, started('Look'))
  await screen.shows('Look')
  tell(done('Look'), { event: 'note', text: 'careful', warning: true }, end)
  await reporter.end()
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  expect(screen.written + errors.written).not.toMatch(/\u001b\[\d+m/)
})

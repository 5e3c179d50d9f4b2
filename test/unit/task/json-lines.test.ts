import { expect, test } from 'vitest'

import { jsonLinesReporter } from '../../../lib/task/json-lines.ts'
import { happened, Screen } from './screen.ts'

test('one event a line, errors too, all on stdout', async () => {
  const stdout = new Screen(false)
  const stderr = new Screen(false)
  const reporter = jsonLinesReporter({ stdout: stdout.stream, stderr: stderr.stream })
  reporter.event(happened({ event: 'start', flags: { database: 'weltenwind' }, dryRun: true }, 0))
  reporter.event(happened({ event: 'note', text: 'two\nlines \u001b[31m\u009b\u2028' }, 1))
  reporter.event(happened({ event: 'error', message: 'no', next: undefined, code: 75 }, 2))
  await reporter.end()

  expect(stderr.written).toBe('')
  expect(stdout.written.split('\n')).toEqual([
    '{"time":"2025-11-21T02:24:00.000Z","task":"pg-reset","event":"start","flags":{"database":"weltenwind"},"dryRun":true}',
    String.raw`{"time":"2025-11-21T02:24:01.000Z","task":"pg-reset","event":"note","text":"two\nlines \u001b[31m\u009b\u2028"}`,
    '{"time":"2025-11-21T02:24:02.000Z","task":"pg-reset","event":"error","message":"no","code":75}',
    '',
  ])
})

test('facts are data here, without the text for people', () => {
  const screen = new Screen(false)
  const reporter = jsonLinesReporter({ stdout: screen.stream, stderr: screen.stream })
  reporter.event(happened({ event: 'data', name: 'cluster', data: { servers: 2 }, text: 'two servers' }, 0))
  expect(screen.written).toBe(
    '{"time":"2025-11-21T02:24:00.000Z","task":"pg-reset","event":"data","name":"cluster","data":{"servers":2}}\n',
  )
})

test('a prompt is asked as it comes', async () => {
  const screen = new Screen(false)
  const reporter = jsonLinesReporter({ stdout: screen.stream, stderr: screen.stream })
  expect(await reporter.ask(() => Promise.resolve('yes'))).toBe('yes')
})

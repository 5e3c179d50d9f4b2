import { describe, expect, test } from 'vitest'

import { reporterFor } from '../../../lib/task/reporter.ts'
import { happened, Screen } from './screen.ts'

const plain = { json: false, quiet: false, verbose: false }

/** How a step that ended looks. */
async function looks(
  flags: Partial<typeof plain>,
  isTTY: boolean,
  env: Record<string, string> = {},
): Promise<string> {
  const screen = new Screen(isTTY)
  const reporter = reporterFor({ ...plain, ...flags }, { stdout: screen.stream, stderr: screen.stream }, env)
  reporter.event(happened({ event: 'step', state: 'done', title: 'Look' }))
  await reporter.end()
  return screen.lines.join('\n')
}

describe('a step that ended', () => {
  test.each<[string, Partial<typeof plain>, boolean, Record<string, string>, string]>([
    ['on a terminal', {}, true, {}, '✔ Look'],
    ['in a pipe', {}, false, {}, '2025-11-21T02:24:00.000Z done   Look'],
    ['in CI', {}, true, { CI: 'true' }, '2025-11-21T02:24:00.000Z done   Look'],
    ['on a dumb terminal', {}, true, { TERM: 'dumb' }, '2025-11-21T02:24:00.000Z done   Look'],
    ['with --quiet', { quiet: true }, true, {}, ''],
    [
      'with --json',
      { json: true },
      true,
      {},
      '{"time":"2025-11-21T02:24:00.000Z","task":"pg-reset","event":"step","state":"done","title":"Look"}',
    ],
  ])('%s', async (_, flags, isTTY, env, expected) => {
    expect(await looks(flags, isTTY, env)).toBe(expected)
  })
})

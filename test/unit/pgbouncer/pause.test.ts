import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { execa } from 'execa'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { holdScript } from '../../../lib/pgbouncer/pause.ts'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'hausmeister-pause-'))))
afterAll(() => rm(folder, { recursive: true }))

/** Writes the names of the signals down instead of sending them. */
const send = ['bash', '-c', 'echo "$2" >> "$1"', 'send']

describe.runIf(process.platform !== 'win32')('the script that holds a pause', () => {
  let log: string
  beforeEach(() => void (log = join(folder, Math.random().toString(36))))

  async function hold(seconds: number) {
    const child = execa('bash', ['-c', holdScript, 'hold', String(seconds), ...send, log], { reject: false })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    // Not the child itself: it is a promise of its own end.
    return { child }
  }
  const signals = async () => (await readFile(log, 'utf8')).trim().split('\n')

  test('resumes when its stdin ends', async () => {
    const { child } = await hold(60)
    expect(await signals()).toEqual(['USR1'])
    child.stdin.end()
    expect(await child).toMatchObject({ exitCode: 0 })
    expect(await signals()).toEqual(['USR1', 'USR2'])
  })

  test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)('resumes when it gets %s', async (signal) => {
    const { child } = await hold(60)
    child.kill(signal)
    expect(await child).toMatchObject({ exitCode: 143 })
    expect(await signals()).toEqual(['USR1', 'USR2'])
  })

  test('resumes when its time is over, and says so', async () => {
    const { child } = await hold(1)
    expect(await child).toMatchObject({ exitCode: 124 })
    expect(await signals()).toEqual(['USR1', 'USR2'])
  })

  test('tries again when the signal did not go out', async () => {
    const flaky = ['bash', '-c', 'echo "$2" >> "$1"; [ "$2" = USR1 ] || [ $(wc -l < "$1") -gt 3 ]', 'send']
    const child = execa('bash', ['-c', holdScript, 'hold', '60', ...flaky, log], { input: '', reject: false })
    expect(await child).toMatchObject({ exitCode: 0 })
    expect(await signals()).toEqual(['USR1', 'USR2', 'USR2', 'USR2'])
  })

  test('resumes when nobody listens any more, and what sends the signal is ended', async () => {
    const ended = ['bash', '-c', 'echo "$2" >> "$1"; [ $(wc -l < "$1") != 2 ] || kill -KILL $$', 'send']
    const child = execa('bash', ['-c', holdScript, 'hold', '60', ...ended, log], { reject: false })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.stdout.destroy()
    child.stderr.destroy()
    child.stdin.end()
    await child
    expect(await signals()).toEqual(['USR1', 'USR2', 'USR2'])
  })

  test('does not say that it paused when it could not', async () => {
    const only2 = ['bash', '-c', '[ "$1" = USR2 ]', 'send']
    const child = execa('bash', ['-c', holdScript, 'hold', '60', ...only2], { input: '', reject: false })
    expect((await child).stdout).toBe('')
  })
})

import { spawnSync } from 'node:child_process'
import { Readable } from 'node:stream'

import { describe, expect, test } from 'vitest'
import { ProcessOutput } from 'zx/core'

import { errorBehind, HostError } from '../../../lib/host/errors.ts'
import { asLoginUser } from '../../../lib/host/escalation.ts'
import { LocalMachine } from '../../../lib/host/local.ts'
import type { Machine } from '../../../lib/host/machine.ts'
import { type Command, originOf, shell } from '../../../lib/host/shell.ts'
import { type Call, RecordedRun, rejection, ScriptedMachine } from '../doubles.ts'

function on(machine: Machine, run = new RecordedRun()): { read: Command; change: Command; run: RecordedRun } {
  const context = { machine, user: 'ops', escalation: async () => asLoginUser, run }
  return { read: shell(context, 'read'), change: shell(context, 'change'), run }
}

const here = new LocalMachine('here')

/** What a failed command was ended by, as tasks find it. */
async function hostFailure(promise: PromiseLike<unknown>): Promise<string | undefined> {
  const found = errorBehind(await rejection(promise), HostError)
  return found && `${found.failure}: ${found.message}`
}

describe('a question', () => {
  const { read, run } = on(here)

  test('is told to nobody', async () => {
    expect(await read`echo hello`.text()).toBe('hello\n')
    expect(run.changes).toEqual([])
  })

  test('gets its words whole, whatever is in them', async () => {
    const words = ['two words', "it's", '$HOME', '', '*', 'a\nb', '-n']
    expect(await read`printf '<%s>' ${words} ${42}`.text()).toBe(
      `${words.map((word) => `<${word}>`).join('')}<42>`,
    )
  })

  test('fails when part of a pipe fails, and when a variable is not set', async () => {
    expect((await read({ nothrow: true })`false | true`).exitCode).toBe(1)
    expect((await read({ nothrow: true })`echo $nosuchvariable`).exitCode).toBe(1)
  })

  test('has text, lines and JSON as zx has them', async () => {
    expect(await read`printf 'a\nb\n'`.lines()).toEqual(['a', 'b'])
    expect(await read`echo '{"a": 1}'`.json()).toEqual({ a: 1 })
    const seen: string[] = []
    for await (const line of read`printf 'a\nb\n'`) seen.push(line)
    expect(seen).toEqual(['a', 'b'])
  })

  test('that fails says where, as whom and what', async () => {
    const error = await rejection(read`echo oops >&2; exit 3`)
    expect(error).toBeInstanceOf(ProcessOutput)
    expect(error).toMatchObject({ exitCode: 3, stderr: 'oops\n' })
    expect(originOf(error)).toEqual({ host: 'here', user: 'ops', command: 'echo oops >&2; exit 3' })
    expect(originOf(new Error('another'))).toBeUndefined()
    expect(originOf(undefined)).toBeUndefined()
  })

  test('takes nothrow', async () => {
    expect(await read({ nothrow: true })`exit 3`).toMatchObject({ exitCode: 3, ok: false })
  })

  test('cannot have NUL in its words', () => {
    expect(() => read`echo ${'a\0'}`).toThrow('cannot hold a NUL character (at position 1)')
  })
})

describe('input', () => {
  const { read, change } = on(here)

  test.each([
    ['text', 'a\nb'],
    ['bytes', Buffer.from('a\nb')],
    ['a stream', Readable.from([Buffer.from('a\n'), Buffer.from('b')])],
  ])('%s', async (_, input) => {
    expect(await read({ input })`cat; echo .`.text()).toBe('a\nb.\n')
  })

  test('none, or an empty one: the command does not wait for it', async () => {
    expect(await read`cat; echo end`.text()).toBe('end\n')
    expect(await read({ input: '' })`cat; echo end`.text()).toBe('end\n')
    expect(await read({ input: Buffer.alloc(0) })`cat; echo end`.text()).toBe('end\n')
  })

  test('from another command, more than a pipe holds', async () => {
    const bytes = 3 * 2 ** 20
    expect(await read`head -c ${bytes} /dev/zero`.pipe(change`wc -c`).text()).toContain(String(bytes))
  })

  test('that the command does not read to its end', async () => {
    const input = 'line\n'.repeat(500_000)
    expect(await read({ input })`head -1`.text()).toBe('line\n')
  })
})

describe('an act', () => {
  test('is told when it is done, with its input', async () => {
    const { change, run } = on(here)
    await change({ input: 'select 1;' })`cat`
    await change`:`
    expect(run.changes).toEqual([
      { state: 'done', host: 'here', user: 'ops', command: 'cat', input: 'select 1;' },
      { state: 'done', host: 'here', user: 'ops', command: ':' },
    ])
  })

  test('is told when it fails, also when nobody throws', async () => {
    const { change, run } = on(here)
    await rejection(change`exit 3`)
    await change({ nothrow: true })`exit 4`
    expect(run.changes.map(({ state, command }) => `${state}: ${command}`)).toEqual([
      'failed: exit 3',
      'failed: exit 4',
    ])
  })

  test('whose input is data is told with its size', async () => {
    const { change, run } = on(here)
    await change({ input: Buffer.alloc(2048) })`cat`
    await change({ input: Readable.from(['a']) })`cat`
    expect(run.changes.map(({ input }) => input)).toEqual(['<2048 bytes>', '<a stream>'])
  })

  test('can be shown as something else', async () => {
    const { change, run } = on(here)
    await change({ input: 'text', shown: { command: 'write it', input: '+text' } })`cat`
    await change({ input: 'text', shown: { command: 'write it' } })`cat`
    expect(run.changes).toEqual([
      { state: 'done', host: 'here', user: 'ops', command: 'write it', input: '+text' },
      { state: 'done', host: 'here', user: 'ops', command: 'write it' },
    ])
    const error = await rejection(change({ shown: { command: 'write it' } })`exit 3`)
    expect(originOf(error)?.command).toBe('write it')
  })
})

describe('in a dry run', () => {
  test('an act is only told; a question is asked', async () => {
    const machine = new ScriptedMachine('pg-1', saysThere, { loginUser: 'ops' })
    const { read, change, run } = on(machine, new RecordedRun({ dryRun: true }))
    const done = await change({ input: 'x' })`rm -rf ${'/srv/a b'}`
    expect(done).toMatchObject({ ok: true, stdout: '' })
    expect(await read`ls`.text()).toBe('there')
    expect(machine.started).toEqual(['ops: set -euo pipefail; ls'])
    expect(run.changes).toEqual([
      { state: 'would', host: 'pg-1', user: 'ops', command: "rm -rf '/srv/a b'", input: 'x' },
    ])
  })

  test('an act takes what is piped into it, and ends', async () => {
    const { read, change } = on(here, new RecordedRun({ dryRun: true }))
    await read`head -c 300000 /dev/zero`.pipe(change`cat`)
    await change({ input: Readable.from(['a'.repeat(300_000)]) })`cat`
  })
})

describe('a machine that is not there', () => {
  const gone = new ScriptedMachine('pg-1', () => {
    throw new HostError('pg-1', 'lost', 'the connection was lost')
  })

  test('is no exit code: it is thrown, nothrow or not', async () => {
    const { read, change, run } = on(gone)
    expect(await hostFailure(read`true`)).toBe('lost: pg-1: the connection was lost')
    expect(await hostFailure(read({ nothrow: true })`true`)).toBe('lost: pg-1: the connection was lost')
    expect(await hostFailure(change({ nothrow: true })`true`)).toBe('lost: pg-1: the connection was lost')
    expect(run.changes.map(({ state }) => state)).toEqual(['failed'])
  })
})

describe('ending a command', () => {
  test('by its time limit, nothrow or not', async () => {
    const { ended, numbers } = await longCommand({ timeout: 2000, nothrow: true })
    expect(errorBehind(await ended, HostError)).toMatchObject({
      failure: 'timeout',
      message: 'here: timed out after 2 s',
    })
    await areGone(numbers)
  })

  test('by cancelling the run', async () => {
    const run = new RecordedRun()
    const { ended, numbers } = await longCommand({}, run)
    run.controller.abort()
    expect(errorBehind(await ended, HostError)).toMatchObject({ failure: 'cancelled' })
    await areGone(numbers)
  })

  test('not by cancelling the run, when it must come to its end', async () => {
    const run = new RecordedRun()
    const { change } = on(here, run)
    const promise = change({ uncancelled: true, keepInputOpen: true })`echo started; read -r line; echo $line`
    promise.stdout.once('data', () => {
      run.controller.abort()
      promise.stdin.end('done\n')
    })
    expect(await promise.text()).toBe('started\ndone\n')
  })

  test("by zx's own kill and timeout, which know it only by its number", async () => {
    const first = await longCommand({})
    await first.promise.kill('SIGTERM')
    expect(await first.ended).toMatchObject({ signal: 'SIGTERM' })
    await areGone(first.numbers)
    const second = await longCommand({})
    void second.promise.timeout(50, 'SIGKILL')
    expect(await second.ended).toMatchObject({ signal: 'SIGKILL' })
    await areGone(second.numbers)
  })

  test('that has ended in time leaves no timer behind', async () => {
    const { read } = on(here)
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    await read({ timeout: 60_000 })`:`
    const after = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    expect(after).toBeLessThanOrEqual(before)
  })
})

function saysThere({ say }: Call): number {
  say('there')
  return 0
}

/** A zombie has ended too: it waits for a parent that may never ask. */
function isAlive(number: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(number)], { encoding: 'utf8' })
  return stdout.trim() !== '' && !stdout.startsWith('Z')
}

/** Starts one that would run on for a minute, and tells its process number on this computer. */
async function longCommand(options: { timeout?: number; nothrow?: boolean }, run = new RecordedRun()) {
  const { read } = on(here, run)
  // A child as well: both must go.
  const promise = read(options)`sleep 60 & echo $! $$; wait`
  const ended = rejection(promise)
  const line = await new Promise<string>((resolve) => {
    promise.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))
  })
  return { promise, ended, numbers: line.trim().split(' ').map(Number) }
}

async function areGone(numbers: number[]): Promise<void> {
  await expect.poll(() => numbers.filter((number) => isAlive(number))).toEqual([])
}

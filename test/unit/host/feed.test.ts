import { Readable } from 'node:stream'

import { expect, test } from 'vitest'

import { errorBehind, HostError } from '../../../lib/host/errors.ts'
import { asLoginUser } from '../../../lib/host/escalation.ts'
import { feed } from '../../../lib/host/feed.ts'
import { LocalMachine } from '../../../lib/host/local.ts'
import { shell } from '../../../lib/host/shell.ts'
import { deferred, RecordedRun, rejection } from '../doubles.ts'

function here(run = new RecordedRun()) {
  const context = { machine: new LocalMachine('here'), user: 'ops', escalation: async () => asLoginUser, run }
  return shell(context, 'change')({ keepInputOpen: true, timeout: 20_000 })
}

function* zeros(megabytes: number): Generator<Buffer> {
  for (let count = 0; count < megabytes; count += 1) yield Buffer.alloc(1024 * 1024)
}

async function* broken(): AsyncGenerator<Buffer> {
  yield Buffer.from('first half\n')
  throw new Error('the store is gone')
}

test('all of it arrives', async () => {
  const command = here()`wc -c`
  await feed(command, Readable.from(zeros(5)))
  expect((await command).stdout.trim()).toBe(String(5 * 1024 * 1024))
})

test('a stream that fails at its very end is a failure, although the command had all that it wanted', async () => {
  const flushed = deferred<void>()
  async function* wanting(): AsyncGenerator<Buffer> {
    yield Buffer.from('12345')
    yield Buffer.alloc(10_000_000)
    await flushed.promise
    throw new Error('it has another SHA-256')
  }
  const command = here()`head -c 5`
  const fed = feed(command, Readable.from(wanting()), false)
  expect((await command).stdout).toBe('12345')
  flushed.resolve()
  expect(await rejection(fed)).toMatchObject({ message: 'it has another SHA-256' })
})

test('a stream that fails ends the command, which is never taken for done', async () => {
  const run = new RecordedRun()
  const command = here(run)`cat; echo whole`
  expect(await rejection(feed(command, Readable.from(broken())))).toMatchObject({
    message: 'the store is gone',
  })
  expect(await rejection(command)).toMatchObject({
    signal: 'SIGTERM',
    stdout: expect.not.stringContaining('whole'),
  })
  expect(run.changes).toMatchObject([{ state: 'failed' }])
})

test('one that has failed before it was read does the same', async () => {
  const content = Readable.from(zeros(1))
  content.destroy(new Error('never begun'))
  expect(await rejection(feed(here()`cat`, content))).toBeInstanceOf(Error)
})

test('a command that fails early ends the stream, and its own error is told', async () => {
  const content = Readable.from(zeros(100))
  const error = await rejection(feed(here()`head -c 1 > /dev/null; echo no room >&2; exit 7`, content))
  expect(error).toMatchObject({ exitCode: 7, stderr: 'no room\n' })
  expect(content.destroyed).toBe(true)
})

test('a command that is killed is a failure', async () => {
  const error = await rejection(feed(here()`kill -9 $$`, Readable.from(zeros(100))))
  expect(error).toMatchObject({ signal: 'SIGKILL' })
})

test('Ctrl-C ends both', async () => {
  const run = new RecordedRun()
  const content = Readable.from(zeros(1000))
  const command = here(run)`read -r -n 1 || true; sleep 1000`
  content.once('data', () => run.controller.abort())
  content.pause()
  expect(errorBehind(await rejection(feed(command, content)), HostError)?.failure).toBe('cancelled')
  expect(content.destroyed).toBe(true)
})

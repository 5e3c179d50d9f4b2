import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'

import { expect, test } from 'vitest'

import { asLoginUser } from '../../../lib/host/escalation.ts'
import { FlowError, streaming } from '../../../lib/host/flow.ts'
import { LocalMachine } from '../../../lib/host/local.ts'
import { RecordedRun, rejection } from '../doubles.ts'

function here(run = new RecordedRun()) {
  return streaming({
    machine: new LocalMachine('here'),
    user: 'ops',
    escalation: async () => asLoginUser,
    run,
  })
}

test('all of it arrives, and its words are whole', async () => {
  const words = ["it's", '$HOME', 'two words', '*']
  const parts = await here()`printf '<%s>' ${words}; head -c 3000000 /dev/zero`.toArray()
  const all = Buffer.concat(parts)
  expect(all.subarray(0, 30).toString()).toMatch(/^<it's><\$HOME><two words><\*>\0/)
  expect(all.length).toBe(3_000_000 + "<it's><$HOME><two words><*>".length)
})

test('a command that fails at its end fails the stream, after all that it said', async () => {
  const hash = createHash('sha256')
  const error = await rejection(
    pipeline(here()`head -c 100000 /dev/zero; echo disk is full >&2; exit 7`, hash),
  )
  expect(error).toBeInstanceOf(FlowError)
  expect(error).toMatchObject({
    message: expect.stringMatching(/^this on here as ops ended with exit code 7: head /),
    seen: 'disk is full',
  })
})

test('one that is killed is no end of its output', async () => {
  const error = await rejection(here()`echo half; kill -9 $$`.toArray())
  expect(error).toMatchObject({ message: expect.stringMatching(/was ended by SIGKILL/) })
})

test('a reader that gives up ends the command, and nothing is kept for a slow one', async () => {
  const stream = here()`yes`
  const [first] = await stream.take(1).toArray()
  expect(String(first)).toMatch(/^y\n/)
  await expect.poll(() => stream.destroyed).toBe(true)
  const slow = here()`echo $$; yes`
  const pid = Number(String((await slow[Symbol.asyncIterator]().next()).value).split('\n')[0])
  expect(() => process.kill(pid, 0)).not.toThrow()
  slow.destroy()
  await expect.poll(() => isThere(pid), { timeout: 10_000 }).toBe(false)
})

test('Ctrl-C ends it as cancelled', async () => {
  const run = new RecordedRun()
  const stream = here(run)`echo begun; sleep 1000`
  stream.once('data', () => run.controller.abort())
  expect(await rejection(stream.toArray())).toMatchObject({ message: 'here: cancelled' })
})

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

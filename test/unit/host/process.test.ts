import { PassThrough } from 'node:stream'

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { HostError } from '../../../lib/host/errors.ts'
import { killByNumber, MachineProcess, type Running } from '../../../lib/host/process.ts'
import { deferred } from '../doubles.ts'

/** A command that ends when the test says so. */
function command() {
  const signals: NodeJS.Signals[] = []
  let abandoned = false
  const ended = deferred<{ code: number | null; signal: NodeJS.Signals | null }>()
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const running: Running = {
    stdin,
    stdout,
    stderr,
    ended: ended.promise,
    kill: (signal) => void signals.push(signal),
    abandon: () => (abandoned = true),
  }
  return {
    running,
    signals,
    isAbandoned: () => abandoned,
    end: (code: number | null, signal: NodeJS.Signals | null = null) => {
      stdout.end()
      stderr.end()
      ended.resolve({ code, signal })
    },
    lose: (error: unknown) => ended.reject(error),
  }
}

/** How a process ended, as its listeners hear of it. */
function outcome(child: MachineProcess): Promise<unknown[]> {
  child.stdout.resume()
  child.stderr.resume()
  return new Promise((resolve) => {
    const heard: unknown[] = []
    child.on('error', (error: Error) => heard.push(error.message))
    child.on('close', (code, signal) => resolve([...heard, code, signal]))
  })
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('numbers', () => {
  test('are above those of every operating system, and no two alike', () => {
    const [one, two] = [command(), command()].map(
      ({ running }) => new MachineProcess('pg-1', async () => running),
    )
    expect(one?.pid).toBeGreaterThan(2 ** 32)
    expect(two?.pid).not.toBe(one?.pid)
  })

  test('reach their process on its machine', async () => {
    const { running, signals, end } = command()
    const child = new MachineProcess('pg-1', async () => running)
    const ended = outcome(child)
    await turn()
    expect(killByNumber(child.pid, 'SIGINT')).toBe(true)
    expect(killByNumber(String(child.pid), 'SIGTERM')).toBe(true)
    expect(signals).toEqual(['SIGINT', 'SIGTERM'])
    end(null, 'SIGTERM')
    await ended
  })

  test('never reach a process of this computer, not even after their own has ended', async () => {
    const kill = vi.spyOn(process, 'kill')
    const { running, end } = command()
    const child = new MachineProcess('pg-1', async () => running)
    const ended = outcome(child)
    end(0)
    await ended
    expect(killByNumber(child.pid, 'SIGTERM')).toBe(true)
    expect(kill).not.toHaveBeenCalled()
    kill.mockRestore()
  })

  test('of this computer are none of ours', () => {
    expect(killByNumber(process.pid, 'SIGTERM')).toBe(false)
    expect(killByNumber(2 ** 22, 'SIGTERM')).toBe(false)
  })
})

describe('a command', () => {
  test('ends with its code, after all of its output', async () => {
    const { running, end } = command()
    const child = new MachineProcess('pg-1', async () => running)
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.stderr.resume()
    const closed = new Promise((resolve) => child.on('close', () => resolve(said)))
    running.stdout.pipe(new PassThrough())
    await turn()
    end(3)
    await closed
    expect(child.exitCode).toBe(3)
  })

  test('whose connection is lost is no success and no mere exit code', async () => {
    const { running, lose } = command()
    const child = new MachineProcess('pg-1', async () => running)
    const ended = outcome(child)
    await turn()
    lose(new HostError('pg-1', 'lost', 'the connection was lost'))
    expect(await ended).toEqual(['pg-1: the connection was lost', null, null])
  })

  test('that could not be started says why', async () => {
    const child = new MachineProcess('pg-1', async () => {
      throw new HostError('pg-1', 'unreachable', 'no answer')
    })
    expect(await outcome(child)).toEqual(['pg-1: no answer', null, null])
  })

  test('that is cancelled while it is still being started is ended as soon as it runs', async () => {
    const { running, signals, end } = command()
    const controller = new AbortController()
    const starting = deferred<Running>()
    const child = new MachineProcess('pg-1', () => starting.promise, controller.signal)
    const ended = outcome(child)
    await turn()
    controller.abort()
    expect(await ended).toEqual(['pg-1: cancelled', null, 'SIGTERM'])
    starting.resolve(running)
    await turn()
    expect(signals).toEqual(['SIGTERM'])
    end(null, 'SIGTERM')
  })

  test('is not started at all when the run was cancelled before', async () => {
    let started = false
    const child = new MachineProcess(
      'pg-1',
      async () => {
        started = true
        return command().running
      },
      AbortSignal.abort(),
    )
    expect(await outcome(child)).toEqual(['pg-1: cancelled', null, 'SIGTERM'])
    expect(started).toBe(false)
  })
})

describe('a command that does not obey', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  test('is killed, then given up, and both are said', async () => {
    const { running, signals, isAbandoned } = command()
    const child = new MachineProcess('pg-1', async () => running)
    const ended = outcome(child)
    await turn()
    child.end(new HostError('pg-1', 'timeout', 'timed out after 3 s'))
    expect(signals).toEqual(['SIGTERM'])
    vi.advanceTimersByTime(5000)
    expect(signals).toEqual(['SIGTERM', 'SIGKILL'])
    expect(isAbandoned()).toBe(false)
    vi.advanceTimersByTime(3000)
    expect(isAbandoned()).toBe(true)
    expect(await ended).toEqual([
      'pg-1: timed out after 3 s; the command did not end within 8 s',
      null,
      'SIGTERM',
    ])
  })
})

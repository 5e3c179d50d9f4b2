import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'

import type { HostError, HostFailure } from '../../lib/host/errors.ts'
import {
  closeMachines,
  countProcesses,
  failureOf,
  markedHour,
  open,
  openMachine,
  waitForProcesses,
} from './machine.ts'

/** These take as long as silence has to last; they wait while the others run. */
const slow = {
  silent: Promise.resolve<HostError | undefined>(undefined),
  pulled: Promise.resolve<unknown>(0),
}
const pulledMark = markedHour()

beforeAll(async () => {
  const silent = await openMachine({ silent: true })
  slow.silent = failureOf(silent.host.read`true`).then(async (error) => {
    await silent.close()
    return error
  })
  const pulled = await openMachine({ keepsCommands: true })
  const command = failureOf(pulled.host.read({ nothrow: true })`sleep ${pulledMark}`)
  await waitForProcesses(pulledMark, 1)
  pulled.sshd.freeze()
  slow.pulled = command.then(async (error) => {
    // The machine knows nothing of us either: it has to end the command by itself.
    await waitForProcesses(pulledMark, 0, 60_000)
    await pulled.close()
    return error
  })
})

afterEach(closeMachines)

describe('ending commands', () => {
  test('a timeout ends the command and what it has started', async () => {
    const { host } = await open()
    const mark = markedHour()
    const command = failureOf(
      host.read({ timeout: 3000, nothrow: true })`(sleep ${mark}; true) & sleep ${mark} | cat; wait`,
    )
    await waitForProcesses(mark, 2)
    const error = await command
    expect(error).toMatchObject({ failure: 'timeout', message: 'machine: timed out after 3 s' })
    await waitForProcesses(mark, 0)
  })

  test('one that does not listen to SIGTERM is ended all the same', async () => {
    const { host } = await open()
    const mark = markedHour()
    const command = failureOf(host.read({ timeout: 3000 })`trap '' TERM; sleep ${mark}`)
    await waitForProcesses(mark, 1)
    expect((await command).failure).toBe('timeout')
    await waitForProcesses(mark, 0)
  })

  test('Ctrl-C ends all that run', async () => {
    const machine = await open()
    const { host } = machine
    const mark = markedHour()
    const commands = [1, 2, 3].map(() => failureOf(host.read({ nothrow: true })`sleep ${mark}`))
    await waitForProcesses(mark, 3)
    machine.cancel()
    const failures: HostFailure[] = ['cancelled', 'cancelled', 'cancelled']
    expect((await Promise.all(commands)).map(({ failure }) => failure)).toEqual(failures)
    await waitForProcesses(mark, 0)
    expect(await failureOf(host.read`true`)).toMatchObject({ failure: 'cancelled' })
  })

  test('.kill() ends the command there, and touches no process here', async () => {
    const { host } = await open()
    const mark = markedHour()
    const local = vi.spyOn(process, 'kill')
    try {
      const command = host.read({ nothrow: true })`sleep ${mark}`
      await waitForProcesses(mark, 1)
      await command.kill()
      expect((await command).signal).toBe('SIGTERM')
      expect(local).not.toHaveBeenCalled()
    } finally {
      local.mockRestore()
    }
    await waitForProcesses(mark, 0)
  })

  test("zx's own timeout does, too", async () => {
    const { host } = await open()
    const mark = markedHour()
    const local = vi.spyOn(process, 'kill')
    try {
      const command = host.read({ nothrow: true })`sleep ${mark}`
      await waitForProcesses(mark, 1)
      expect((await command.timeout(50)).signal).toBe('SIGTERM')
      expect(local).not.toHaveBeenCalled()
    } finally {
      local.mockRestore()
    }
    await waitForProcesses(mark, 0)
  })

  test('one killed before it has begun never runs on', async () => {
    const { host } = await open()
    await host.read`true`
    const mark = markedHour()
    const command = host.read({ nothrow: true, timeout: 1 })`sleep ${mark}`
    expect((await failureOf(command)).failure).toBe('timeout')
    await waitForProcesses(mark, 0)
  })

  test('what a command leaves to run in a session of its own is left alone', async () => {
    const { host, hosts } = await open()
    const mark = markedHour()
    await host.read`setsid sleep ${mark} < /dev/null > /dev/null 2>&1 &`
    const [pid = ''] = (await host.read`pgrep -f ${`sleep ${mark}`} | head -n 1`).lines()
    await hosts.close()
    expect(await countProcesses(mark)).toBe(1)
    process.kill(Number(pid))
  })
})

describe('a connection that is lost', () => {
  test('is no success, and no exit code', async () => {
    const { host, sshd } = await open()
    const mark = markedHour()
    const commands = [
      failureOf(host.read({ nothrow: true })`sleep ${mark}`),
      failureOf(host.change`sleep ${mark}`),
    ]
    await waitForProcesses(mark, 2)
    sshd.cut()
    for (const error of await Promise.all(commands)) {
      expect(error).toMatchObject({ failure: 'lost' })
      expect(error.message).toMatch(/^machine: the connection was lost \(/)
    }
    await waitForProcesses(mark, 0)
  })

  test('ends what runs there, though sshd would let it go on', async () => {
    const { host, sshd } = await open({ keepsCommands: true })
    const mark = markedHour()
    const command = failureOf(host.read`sleep ${mark}`)
    await waitForProcesses(mark, 1)
    sshd.cut()
    expect((await command).failure).toBe('lost')
    await waitForProcesses(mark, 0)
  })

  test('is made again once for the commands that come then, and they are let alone', async () => {
    const { host, sshd } = await open({ keepsCommands: true })
    const mark = markedHour()
    const first = failureOf(host.read`trap '' TERM; sleep ${mark}`)
    await waitForProcesses(mark, 1)
    sshd.cut()
    await first
    const later = await Promise.all([1, 2, 3].map(() => host.read`sleep 7; echo whole`.text()))
    expect(later).toEqual(['whole\n', 'whole\n', 'whole\n'])
    expect(sshd.connections.ever).toBe(2)
    await waitForProcesses(mark, 0)
  })
})

describe('silence', () => {
  test('of a machine that takes the connection and says nothing is told as no answer', async () => {
    expect(await slow.silent).toMatchObject({ failure: 'unreachable' })
    expect((await slow.silent)?.message).toMatch(/no answer from 127\.0\.0\.1:\d+ within 15 s/)
  })

  test('after a pulled cable is told as a lost connection, and the machine ends the command', async () => {
    expect(await slow.pulled).toMatchObject({ failure: 'lost' })
  })
})

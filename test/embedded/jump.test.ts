import { afterEach, describe, expect, test } from 'vitest'

import type { Sshd } from '../../examples/demo/sshd.ts'
import { closeMachines, failureOf, markedHour, open, type TestMachine, waitForProcesses } from './machine.ts'

afterEach(closeMachines)

async function openBehindGate(): Promise<TestMachine & { gate: Sshd }> {
  const machine = await open({ behindGate: true })
  const { gate } = machine
  if (!gate) throw new Error('it was asked for')
  return { ...machine, gate }
}

describe('a machine behind a jump host', () => {
  test('is reached through it', async () => {
    const { host, sshd, gate } = await openBehindGate()
    expect((await host.read`echo here`).stdout).toBe('here\n')
    expect([gate.connections.ever, sshd.connections.ever]).toEqual([1, 1])
  })

  const ends = { 'the machine': 'sshd', 'the jump host': 'gate' } as const
  test.each(Object.entries(ends))('a command ends when %s has lost its power', async (_, which) => {
    const machine = await openBehindGate()
    const mark = markedHour()
    const command = failureOf(machine.host.read`sleep ${mark}`)
    await waitForProcesses(mark, 1)
    machine[which].cut()
    expect(await command).toMatchObject({ host: 'machine', failure: 'lost' })
    // With its power it is back, and is connected to anew.
    expect((await machine.host.read`echo here`).stdout).toBe('here\n')
    await waitForProcesses(mark, 0)
  })
})

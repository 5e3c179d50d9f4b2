import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { execa } from 'execa'
import { expect } from 'vitest'

import { generateKey } from '../../examples/demo/keys.ts'
import { type Sshd, type SshdOptions, startSshd } from '../../examples/demo/sshd.ts'
import { errorBehind, HostError } from '../../lib/host/errors.ts'
import type { Change } from '../../lib/host/events.ts'
import type { Host } from '../../lib/host/host.ts'
import { Hosts } from '../../lib/host/hosts.ts'
import { loadEstate } from '../../lib/inventory/load.ts'
import { Cancellation } from '../../lib/task/cancellation.ts'

export interface MachineOptions extends Partial<SshdOptions> {
  /** Lines of known_hosts, given the right one. Default: that one. */
  known?: (right: string) => string[]
  dryRun?: boolean
  /** It is reached through a jump host only. */
  behindGate?: boolean
}

/** One host behind an sshd of our own, and what a run needs to reach it. */
export interface TestMachine {
  sshd: Sshd
  /** The jump host before it. */
  gate: Sshd | undefined
  /** The name is `machine`. */
  host: Host
  hosts: Hosts
  changes: Change[]
  /** The operator's private key file. */
  keyFile: string
  /** As Ctrl-C does. */
  cancel(): void
  close(): Promise<void>
}

/** Takes HOME over: ssh's own files are looked up there. */
export async function openMachine(options: MachineOptions = {}): Promise<TestMachine> {
  const { known = (right: string) => [right], dryRun = false, behindGate = false, ...rest } = options
  const folder = await mkdtemp(join(tmpdir(), 'hausmeister-machine-'))
  const key = generateKey('test')
  const ssh = join(folder, '.ssh')
  await mkdir(ssh)
  await writeFile(join(ssh, 'id_ed25519'), key.private, { mode: 0o600 })
  const sshd = await startSshd({ authorizedKeys: [key.public], home: folder, ...rest })
  const gate = behindGate ? await startSshd({ authorizedKeys: [key.public], home: folder }) : undefined
  const lines = [...known(sshd.knownHost), ...(gate ? [gate.knownHost] : [])]
  await writeFile(join(ssh, 'known_hosts'), lines.join('\n'))
  const inventory = join(folder, 'inventory.json')
  const addresses = { loopback: '127.0.0.1' }
  const user = userInfo().username
  const machines = {
    machine: { addresses, ssh: { user, port: sshd.port, ...(gate ? { jump: 'gate' } : {}) } },
    ...(gate ? { gate: { addresses, ssh: { user, port: gate.port } } } : {}),
  }
  const networks = { loopback: { cidr: '127.0.0.0/8' } }
  await writeFile(inventory, JSON.stringify({ estate: 'test', networks, hosts: machines }))

  process.env['HOME'] = folder
  delete process.env['SSH_AUTH_SOCK']
  const changes: Change[] = []
  const cancellation = new Cancellation()
  const hosts = new Hosts(await loadEstate(inventory), {
    dryRun,
    signal: () => cancellation.signal,
    onChange: (change) => changes.push(change),
    atEnd: () => {},
    askSecret: () => Promise.resolve(undefined),
    onSecret: () => {},
  })
  return {
    sshd,
    gate,
    hosts,
    changes,
    host: await hosts.get('machine'),
    keyFile: join(ssh, 'id_ed25519'),
    cancel: () => cancellation.cancel(new Error('Ctrl-C')),
    close: async () => {
      await hosts.close()
      await sshd.close()
      await gate?.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const opened: TestMachine[] = []

/** One that `closeMachines` closes. */
export async function open(options?: MachineOptions): Promise<TestMachine> {
  const machine = await openMachine(options)
  opened.push(machine)
  return machine
}

/** After each test. Nothing of ours may be left on the machine then. */
export async function closeMachines(): Promise<void> {
  for (const machine of opened.splice(0)) {
    await machine.close()
    expect(machine.sshd.connections.open).toBe(0)
    expect(machine.sshd.commands).toBe(0)
  }
}

/** The HostError behind what a command threw. @throws when it threw none */
export async function failureOf(work: PromiseLike<unknown>): Promise<HostError> {
  const error = await Promise.resolve(work).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  const failure = errorBehind(error, HostError)
  if (failure) return failure
  throw new Error(`expected a HostError, got ${String(error)}`)
}

let lastMark = Math.floor(Math.random() * 1e9)

/** Seconds to sleep, an hour, written as nobody else writes it: so the process can be found. */
export function markedHour(): string {
  lastMark += 1
  return `3600.${lastMark}`
}

/** How many processes of this computer have this in their command line. */
export async function countProcesses(text: string): Promise<number> {
  const { stdout } = await execa('ps', ['-Ao', 'args'])
  // Not the shells whose script names it.
  return stdout.split('\n').filter((line) => line.startsWith('sleep ') && line.includes(text)).length
}

/** @param patience milliseconds. @throws when it is another number for so long */
export async function waitForProcesses(text: string, wanted: number, patience = 8000): Promise<void> {
  const deadline = Date.now() + patience
  for (;;) {
    const found = await countProcesses(text)
    if (found === wanted) return
    if (Date.now() > deadline) throw new Error(`${found} processes with ${text}, and not ${wanted}`)
    await pause(20)
  }
}

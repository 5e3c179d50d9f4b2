import type { Duplex } from 'node:stream'
import { PassThrough } from 'node:stream'

import type { Dialogue, Program } from '../../lib/host/dialogue.ts'
import { HostError } from '../../lib/host/errors.ts'
import type { Escalation } from '../../lib/host/escalation.ts'
import type { Change, Run } from '../../lib/host/events.ts'
import type { Machine } from '../../lib/host/machine.ts'
import type { Running } from '../../lib/host/process.ts'
import { Estate } from '../../lib/inventory/estate.ts'
import { parseInventory } from '../../lib/inventory/parse.ts'

/** A command as it arrives on a scripted machine. */
export interface Call {
  /** Without the `bash -c` around it. */
  script: string
  user: string
  /** What is written ahead of the input, for sudo. */
  password: string | undefined
  /** All of stdin, when it has ended. */
  input: () => Promise<string>
  say: (text: string) => void
  complain: (text: string) => void
  /** Whether it was told to end; the answer does not matter then any more. */
  isKilled: () => boolean
}

/** Answers a command with its exit code; throws a HostError for a connection that is gone. */
export type Script = (call: Call) => number | Promise<number>

/** A machine that does what a test says. */
export class ScriptedMachine implements Machine {
  readonly host: string
  readonly loginUser: string
  /** Every script that was started here, with its user: `postgres: psql …`. */
  readonly started: string[] = []
  readonly signals: NodeJS.Signals[] = []
  readonly dialled: string[] = []
  closed = false
  readonly #script: Script
  readonly #dial: (address: string, port: number) => Promise<Duplex>

  constructor(
    host: string,
    script: Script,
    {
      loginUser = 'root',
      dial,
    }: { loginUser?: string; dial?: (address: string, port: number) => Promise<Duplex> } = {},
  ) {
    this.host = host
    this.loginUser = loginUser
    this.#script = script
    this.#dial = dial ?? (() => Promise.reject(new HostError(host, 'forward', 'nobody is there')))
  }

  dial(address: string, port: number): Promise<Duplex> {
    this.dialled.push(`${address}:${port}`)
    return this.#dial(address, port)
  }

  async connect(): Promise<void> {}

  async close(): Promise<void> {
    this.closed = true
  }

  /** Answers as to any command, without a terminal. */
  async converse({ script }: Program, escalation: Escalation): Promise<Dialogue> {
    return { attach: async () => (await this.start(script, escalation)).ended }
  }

  async start(line: string, { prefix, password }: Escalation): Promise<Running> {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
    const user = /-u (\S+)/.exec(prefix)?.[1] ?? this.loginUser
    const script = unwrapped(line)
    this.started.push(`${user}: ${script}`)
    let isKilled = false
    const killed = deferred<{ code: null; signal: NodeJS.Signals }>()
    const answer = Promise.resolve(
      this.#script({
        script,
        user,
        password,
        input: async () => Buffer.concat(await stdin.toArray()).toString(),
        say: (text) => stdout.write(text),
        complain: (text) => stderr.write(text),
        isKilled: () => isKilled,
      }),
    )
    const ended = Promise.race([answer.then((code) => ({ code, signal: null })), killed.promise]).finally(
      () => {
        stdout.end()
        stderr.end()
      },
    )
    return {
      stdin,
      stdout,
      stderr,
      ended,
      kill: (signal) => {
        this.signals.push(signal)
        isKilled = true
        killed.resolve({ code: null, signal })
      },
      abandon: () => {},
    }
  }
}

/** A promise that is settled from outside. */
export function deferred<T>(): {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (error: unknown) => void
} {
  const settle: { resolve?: (value: T) => void; reject?: (error: unknown) => void } = {}
  const promise = new Promise<T>((resolve, reject) => Object.assign(settle, { resolve, reject }))
  return {
    promise,
    resolve: (value) => settle.resolve?.(value),
    reject: (error) => settle.reject?.(error),
  }
}

/** `bash -c 'a b'` → `a b` */
function unwrapped(line: string): string {
  const word = /^bash -c (.*)$/s.exec(line)?.[1]
  if (word === undefined) return line
  return word.startsWith("'") ? word.slice(1, -1).replaceAll(`'\\''`, "'") : word
}

/** A run that remembers what it was told. */
export class RecordedRun implements Run {
  readonly dryRun: boolean
  readonly changes: Change[] = []
  readonly secrets: string[] = []
  readonly asked: string[] = []
  readonly closers: (() => Promise<void>)[] = []
  readonly controller = new AbortController()
  readonly #answer: string | undefined

  constructor({ dryRun = false, answer }: { dryRun?: boolean; answer?: string } = {}) {
    this.dryRun = dryRun
    this.#answer = answer
  }

  signal = (): AbortSignal => this.controller.signal

  onChange = (change: Change): void => void this.changes.push(change)

  atEnd = (close: () => Promise<void>): void => void this.closers.push(close)

  onSecret = (secret: string): void => void this.secrets.push(secret)

  askSecret = async (label: string): Promise<string | undefined> => {
    this.asked.push(label)
    return this.#answer
  }
}

/** An estate from an inventory, with these secrets in its `.env`. */
export async function estateOf(
  inventory: Record<string, unknown>,
  secrets: Record<string, string> = {},
): Promise<Estate> {
  const text = JSON.stringify({ estate: 'test', ...inventory })
  return new Estate(await parseInventory(text, 'inventory.json'), '/estate/inventory.json', {
    file: '/estate/.env',
    value: (name) => secrets[name],
    warnings: [],
  })
}

/** What a promise was rejected with; fails the test when it was not. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it was expected to fail, and did not')
}

/** The same, for errors: everything a test compares is a message. */
export async function failure(promise: PromiseLike<unknown>): Promise<Error> {
  const error = await rejection(promise)
  if (error instanceof Error) return error
  throw new Error(`${String(error)} was thrown, which is no error`)
}

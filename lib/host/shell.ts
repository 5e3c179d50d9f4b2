import { Readable } from 'node:stream'

import { $, defaults, kill, type Options, type ProcessOutput, type ProcessPromise } from 'zx/core'

import { HostError } from './errors.ts'
import type { Escalation } from './escalation.ts'
import type { Change, Run } from './events.ts'
import type { Machine } from './machine.ts'
import { killByNumber, MachineProcess } from './process.ts'
import { quote } from './quote.ts'

/** zx resolves `.kill()` and timeouts through this global. */
defaults.kill = async (pid, signal) => {
  if (!killByNumber(pid, signal)) await kill(pid, signal)
}

export type Argument = string | number | readonly (string | number)[] | ProcessOutput

export interface CommandOptions {
  /** Given to the command on stdin; secrets and data belong here, never in the command. */
  input?: string | Buffer | Readable
  /** Milliseconds after which the command is ended. */
  timeout?: number
  /** Do not throw when the exit code is not 0. A connection that is lost is thrown all the same. */
  nothrow?: boolean
  /** Leave stdin open until the command has ended, for one that takes its end as the word to stop. */
  keepInputOpen?: boolean
  /** Let it come to its end when the run is cancelled: for what would go on somewhere else all the same. */
  uncancelled?: boolean
  /** What the dry run, the journal and errors show in place of the command line and its input. */
  shown?: { command: string; input?: string }
}

/** zx's template, on that machine. */
export interface Command {
  (pieces: TemplateStringsArray, ...args: Argument[]): ProcessPromise
  (options: CommandOptions): (pieces: TemplateStringsArray, ...args: Argument[]) => ProcessPromise
}

export interface ShellContext {
  machine: Machine
  user: string
  escalation(): Promise<Escalation>
  run: Run
}

/** Where a failed command ran and what it was; zx's own error does not know. */
export interface Origin {
  host: string
  user: string
  command: string
}

const origins = new WeakMap<object, Origin>()

export function originOf(error: unknown): Origin | undefined {
  return typeof error === 'object' && error !== null ? origins.get(error) : undefined
}

/** Questions run in a dry run too; acts are told to the run, and in a dry run only told. */
export function shell(context: ShellContext, kind: 'read' | 'change'): Command {
  function command(first: TemplateStringsArray, ...args: Argument[]): ProcessPromise
  function command(
    first: CommandOptions,
  ): (pieces: TemplateStringsArray, ...args: Argument[]) => ProcessPromise
  function command(first: TemplateStringsArray | CommandOptions, ...args: Argument[]) {
    if (isTemplate(first)) return start(context, kind, {}, first, args)
    return (pieces: TemplateStringsArray, ...rest: Argument[]) => start(context, kind, first, pieces, rest)
  }
  return command
}

function isTemplate(value: TemplateStringsArray | CommandOptions): value is TemplateStringsArray {
  return Array.isArray(value)
}

function start(
  context: ShellContext,
  kind: 'read' | 'change',
  options: CommandOptions,
  pieces: TemplateStringsArray,
  args: Argument[],
): ProcessPromise {
  const { machine, run, user } = context
  const dry = kind === 'change' && run.dryRun
  let child: MachineProcess | undefined
  const settings: Partial<Options> = {
    shell: 'bash',
    prefix: 'set -euo pipefail; ',
    postfix: '',
    quote,
    quiet: true,
    verbose: false,
    // A group number of ours means nothing to this computer's kernel.
    detached: false,
    nothrow: options.nothrow ?? false,
    ...(options.input === undefined ? {} : { input: options.input }),
  }
  // Assigned, because the overloads of node's `spawn` promise kinds of stdio that nobody asks for here.
  Object.assign(settings, {
    spawn: (script: string) => {
      child = dry ? pretend(machine.host) : spawn(context, script, options)
      return child
    },
  })
  const promise = $(settings)(pieces, ...args)
  const command = options.shown?.command ?? promise.cmd
  promise.catch((error: unknown) => {
    if (typeof error === 'object' && error !== null) origins.set(error, { host: machine.host, user, command })
  })
  child?.once('error', () => void promise.nothrow(false))
  closeUnusedInput(promise, child, options)
  const timer = options.timeout === undefined ? undefined : expire(machine.host, child, options.timeout)
  if (kind === 'change') report(context, promise, command, options, dry)
  promise.then(
    () => clearTimeout(timer),
    () => clearTimeout(timer),
  )
  return promise
}

function spawn(context: ShellContext, script: string, { uncancelled }: CommandOptions): MachineProcess {
  const { machine, run } = context
  return new MachineProcess(
    machine.host,
    async () => machine.start(`bash -c ${quote(script)}`, await context.escalation()),
    uncancelled ? undefined : run.signal(),
  )
}

/** The act that a dry run leaves out: takes its input, says nothing, and succeeds. */
function pretend(host: string): MachineProcess {
  return new MachineProcess(host, async () => {
    const { PassThrough } = await import('node:stream')
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
    stdin.resume()
    stdout.end()
    stderr.end()
    return {
      stdin,
      stdout,
      stderr,
      ended: Promise.resolve({ code: 0, signal: null }),
      kill: () => {},
      abandon: () => {},
    }
  })
}

/** A command that nobody feeds gets an end of input, or one that reads it would wait for ever. */
function closeUnusedInput(
  promise: ProcessPromise,
  child: MachineProcess | undefined,
  options: CommandOptions,
): void {
  if (options.keepInputOpen || (options.input !== undefined && options.input !== '')) return
  let fed = false
  // Nothing public tells that something is piped in, but zx runs the target of a pipe once more.
  const runAgain = promise.run.bind(promise)
  promise.run = () => {
    fed = true
    return runAgain()
  }
  setImmediate(() => {
    if (!fed) child?.stdin.end()
  })
}

function expire(host: string, child: MachineProcess | undefined, milliseconds: number): NodeJS.Timeout {
  const reason = new HostError(host, 'timeout', `timed out after ${milliseconds / 1000} s`)
  return setTimeout(() => child?.end(reason), milliseconds)
}

function report(
  { machine, user, run }: ShellContext,
  promise: ProcessPromise,
  command: string,
  options: CommandOptions,
  dry: boolean,
): void {
  const input = options.shown ? options.shown.input : describe(options.input)
  const change = { host: machine.host, user, command, ...(input === undefined ? {} : { input }) }
  const tell = (state: Change['state']): void => run.onChange({ state, ...change })
  if (dry) {
    tell('would')
    return
  }
  promise.then(
    (output) => tell(output.exitCode === 0 ? 'done' : 'failed'),
    () => tell('failed'),
  )
}

function describe(input: CommandOptions['input']): string | undefined {
  if (input === undefined || typeof input === 'string') return input
  return Buffer.isBuffer(input) ? `<${input.length} bytes>` : '<a stream>'
}

import type { ProcessPromise } from 'zx/core'

import type { Run } from '../host/events.ts'
import type { Hosts } from '../host/hosts.ts'
import type { Attempt, Holder } from '../host/lock.ts'
import { quote } from '../host/quote.ts'
import type { Terminal } from '../host/terminal.ts'
import type { Estate } from '../inventory/estate.ts'
import type { Cancellation } from './cancellation.ts'
import { confirmDestruction, type Proof } from './confirm.ts'
import { TaskError } from './errors.ts'
import type { TaskEventBody } from './events.ts'
import { exitCode } from './exit-code.ts'
import { explain } from './explain.ts'
import { invocationOf } from './help.ts'
import { duration } from './text.ts'

/** A step that is running; it may say more than its title did. */
export interface StepHandle {
  title: string
  /** What it is at, or what it found. */
  detail: string | undefined
}

export interface SessionOptions<Flags> {
  estate: Estate
  flags: Flags
  hosts: Hosts
  run: Run
  holder: Holder
  /** As `--inventory` was given. */
  inventory: string | undefined
  yes: boolean
  emit: (event: TaskEventBody) => void
  /** Gives a prompt the screen; undefined without a terminal. */
  ask: (<T>(prompt: () => Promise<T>) => Promise<T>) | undefined
  /** Hands the terminal over, for a task that takes it. */
  handOver?: (<T>(use: (terminal: Terminal) => Promise<T>) => Promise<T>) | undefined
  cancellation: Cancellation
}

/** One run of a task: what it may use, and how it says what it does. */
export class Session<Flags> {
  readonly estate: Estate
  readonly flags: Flags
  readonly hosts: Hosts
  /** For nouns that reach a server without a host of ours. */
  readonly run: Run
  readonly dryRun: boolean
  readonly #options: SessionOptions<Flags>
  readonly #locks: { release(): Promise<void> }[] = []

  constructor(options: SessionOptions<Flags>) {
    this.#options = options
    this.estate = options.estate
    this.flags = options.flags
    this.hosts = options.hosts
    this.run = options.run
    this.dryRun = options.run.dryRun
  }

  /**
   * One promise to the operator, and its keeping.
   * @param proof looks at the machine whether it is so; left out in a dry run, where it cannot be so
   */
  async step<T>(
    title: string,
    run: (step: StepHandle) => Promise<T>,
    proof?: (value: T, step: StepHandle) => Promise<void>,
  ): Promise<T> {
    this.#options.cancellation.check()
    const { emit } = this.#options
    const step: StepHandle = { title, detail: undefined }
    const start = performance.now()
    emit({ event: 'step', state: 'started', title })
    const ended = (state: 'done' | 'failed'): void =>
      emit({
        event: 'step',
        state,
        title: step.title,
        ms: Math.round(performance.now() - start),
        ...(step.detail === undefined ? {} : { detail: step.detail }),
      })
    try {
      const value = await run(step)
      if (proof && !this.dryRun) await proof(value, step)
      this.#options.cancellation.check()
      ended('done')
      return value
    } catch (error) {
      ended('failed')
      throw error
    }
  }

  /** A step that only looks at machines. In a dry run there is nothing yet that it could see. */
  async prove(title: string, look: (step: StepHandle) => Promise<void>): Promise<void> {
    if (this.dryRun) this.#options.emit({ event: 'step', state: 'skipped', title, detail: 'dry run' })
    else await this.step(title, look)
  }

  /** The command line of a task on this same inventory, for the operator to run next. */
  command(task: string, flags: string[]): string {
    const { inventory } = this.#options
    const words = [...flags, ...(inventory === undefined ? [] : ['--inventory', inventory])]
    return `${invocationOf(task)} ${words.map((word) => quote(word)).join(' ')}`
  }

  /** A fact that the operator should see, on one line or more. */
  note(text: string): void {
    this.#options.emit({ event: 'note', text })
  }

  warn(text: string): void {
    this.#options.emit({ event: 'note', text, warning: true })
  }

  /** What was asked for: `data` for programs, `text` for people. */
  show(name: string, data: object, text: string): void {
    this.#options.emit({ event: 'data', name, data, text })
  }

  /** An act on this computer itself: told like one on a machine, and in a dry run only told. */
  async changeHere(command: string, work: () => Promise<void>): Promise<void> {
    const change = { host: 'this computer', user: this.#options.holder.who, command }
    if (!this.dryRun) await work()
    this.run.onChange({ state: this.dryRun ? 'would' : 'done', ...change })
  }

  /** Something on a machine that was looked at, and is as it should be. */
  unchanged(host: string, user: string, command: string): void {
    this.run.onChange({ state: 'unchanged', host, user, command })
  }

  /**
   * Takes a lock until the end of the run, or until it is given back. Not in a dry run, which must leave nothing on
   * the machine.
   * @param lost when the machine has ended it; default: the run is over
   * @returns gives it back before the end
   * @throws TaskError 75 that says who holds it, since when, and for which task
   */
  async lock(
    name: string,
    take: (holder: Holder) => Promise<Attempt>,
    lost = (error: Error): void => this.#options.cancellation.cancel(error),
  ): Promise<() => Promise<void>> {
    if (this.dryRun) return async () => {}
    const attempt = await take(this.#options.holder)
    if (!attempt.held) throw lockedBy(name, attempt.by)
    let released = false
    const release = async (): Promise<void> => {
      if (released) return
      released = true
      await attempt.release()
    }
    this.#locks.push({ release })
    void attempt.lost.then((error) => released || lost(error))
    return release
  }

  /** The operator's word that something may be destroyed; the only way to get one. */
  confirm(name: string, question: string): Promise<Proof> {
    const { yes, ask, cancellation } = this.#options
    const options = {
      name,
      question,
      yes,
      dryRun: this.dryRun,
      isTerminal: ask !== undefined,
      signal: cancellation.signal,
    }
    return ask && !yes && !this.dryRun ? ask(() => confirmDestruction(options)) : confirmDestruction(options)
  }

  /** Gives the terminal to someone else; until then nothing more is shown, and Ctrl-C is not ours. */
  handOver<T>(use: (terminal: Terminal) => Promise<T>): Promise<T> {
    const { handOver } = this.#options
    if (!handOver) throw new Error('there is no terminal: the task does not say that it takes one')
    return handOver(use)
  }

  /** What a step is at, for those who watch it. */
  progress({ title }: StepHandle, detail: string): void {
    this.#options.emit({ event: 'progress', title, detail })
  }

  /** Shows the last line that a long command has printed, as the step's detail. */
  async follow(step: StepHandle, command: ProcessPromise): Promise<void> {
    const { emit } = this.#options
    // Whole lines only: half a secret would not be recognised.
    let rest = ''
    command.stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop() ?? ''
      const line = lines.findLast((text) => text.trim() !== '')?.trim()
      if (line) emit({ event: 'progress', title: step.title, detail: line })
    })
    await command
  }

  /**
   * Brings things back to where they were after a failure or a Ctrl-C, which does not end this.
   * @throws TaskError always: what went wrong first, and where things stand now
   */
  async recover(
    error: unknown,
    { title, next, work }: { title: string; next: string; work: (step: StepHandle) => Promise<string> },
  ): Promise<never> {
    // What made the run stop, not the error of the command that it ended.
    const first = await explain(this.#options.cancellation.reason ?? error)
    this.#options.cancellation.shield()
    try {
      const state = await this.step(title, work)
      throw withState(first, state)
    } catch (second) {
      if (second instanceof TaskError && second.cause === first) throw second
      const why = await explain(second)
      const state = `not repaired: ${why instanceof Error ? why.message : String(why)}`
      throw withState(first, state, next)
    }
  }

  /** Called once, at the end of the run. */
  async releaseLocks(): Promise<void> {
    for (const lock of this.#locks.toReversed()) await lock.release()
  }
}

function withState(first: unknown, state: string, next?: string): TaskError {
  const task = first instanceof TaskError ? first : undefined
  const message = first instanceof Error ? first.message : String(first)
  return new TaskError(`${message}\n${state}`, {
    seen: task ? task.seen : first instanceof Error ? first.stack : undefined,
    next: next ?? task?.next,
    code: task?.code,
    cause: first,
  })
}

function lockedBy(name: string, by: string): TaskError {
  let holder: Partial<Holder> = {}
  try {
    const read: unknown = JSON.parse(by)
    if (typeof read === 'object' && read !== null) holder = read
  } catch {
    // The file is written right after the lock is taken; we came in between.
  }
  const since = holder.since ? Date.parse(holder.since) : Number.NaN
  const age = Number.isNaN(since) ? '' : `, since ${holder.since} (${duration(Date.now() - since)})`
  return new TaskError(`${name} is locked by ${holder.who ?? 'someone'}: ${holder.task ?? 'a task'}${age}`, {
    code: exitCode.locked,
    next: 'wait until it has ended; a lock ends with its holder, so there is none to clear',
  })
}

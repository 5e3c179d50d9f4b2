import type * as z from 'zod'

import type { Run } from '../host/events.ts'
import { Hosts } from '../host/hosts.ts'
import { Redactor } from '../host/redact.ts'
import type { Terminal } from '../host/terminal.ts'
import { InventoryError, problemText } from '../inventory/errors.ts'
import type { Estate } from '../inventory/estate.ts'
import { loadEstate } from '../inventory/load.ts'
import { Cancellation } from './cancellation.ts'
import { describeError, fromProblems, TaskError } from './errors.ts'
import type { TaskEventBody } from './events.ts'
import { exitCode, type ExitCode, outcomeOf } from './exit-code.ts'
import { explain } from './explain.ts'
import { type CommonFlags, parseFlags } from './flags.ts'
import { invocationOf } from './help.ts'
import { type Journal, openJournal } from './journal.ts'
import { operator } from './operator.ts'
import type { Reporter } from './output.ts'
import { preflight } from './preflight.ts'
import { askSecret } from './prompt.ts'
import { reporterFor } from './reporter.ts'
import { Session } from './session.ts'
import type { Task } from './task.ts'
import { lend, operatorTerminal, terminalProblems } from './terminal.ts'

/** Where the inventory is when no flag says so: in the folder that the task is run from. */
const defaultInventory = 'inventory.json'

/**
 * One Ctrl-C may arrive twice: from the terminal, and handed on by npx and tsx 30 ms later. A second one
 * within this time is taken for such an echo. Milliseconds.
 */
const echo = 500

/**
 * The life of a task, from its flags to its exit code: inventory, preflight, what the task itself
 * does, and what the operator and the journal are told of it.
 */
export async function liveTask<S extends z.ZodObject>(task: Task<S>, argv: string[]): Promise<ExitCode> {
  const parsed = parseFlags(task.flags, argv, invocationOf(task.name))
  const life = new Life(task.name, parsed.common, reporterFor(parsed.common))
  return life.run(async () => {
    if (!parsed.ok) throw fromProblems(parsed.problems, { next: `${invocationOf(task.name)} --help` })
    const estate = await loadInventory(parsed.common.inventory ?? defaultInventory)
    await life.begin(estate, parsed.flags)
    await life.work(task, estate, parsed.flags)
  })
}

async function loadInventory(file: string): Promise<Estate> {
  try {
    return await loadEstate(file)
  } catch (error) {
    if (error instanceof InventoryError)
      throw fromProblems(error.problems.map((problem) => problemText(problem)))
    throw error
  }
}

/** What one run has from its beginning to its end. */
class Life {
  readonly #task: string
  readonly #common: CommonFlags
  readonly #reporter: Reporter
  readonly #redactor = new Redactor()
  readonly #cancellation = new Cancellation()
  readonly #start = performance.now()
  #journal: Journal | undefined
  #changed = 0
  #unchanged = 0
  /** Who has the terminal gets Ctrl-C. */
  #isLent = false

  constructor(task: string, common: CommonFlags, reporter: Reporter) {
    this.#task = task
    this.#common = common
    this.#reporter = reporter
  }

  /** Runs it, tells how it ended, and gives the exit code. */
  async run(work: () => Promise<void>): Promise<ExitCode> {
    const stopListening = this.#listenForSignals()
    // A reader that has seen enough (`| head`) must not stop a run in the middle.
    process.stdout.on('error', () => {})
    let code: ExitCode = exitCode.done
    try {
      await work()
    } catch (error) {
      const explained = await explain(
        this.#cancellation.reason && !isRecovered(error) ? this.#cancellation.reason : error,
      )
      const described = describeError(explained)
      code = described.code
      this.#emit({ event: 'error', ...described })
    }
    const ms = Math.round(performance.now() - this.#start)
    this.#emit({
      event: 'end',
      outcome: outcomeOf(code),
      changed: this.#changed,
      unchanged: this.#unchanged,
      code,
      ms,
    })
    await this.#reporter.end()
    stopListening()
    return code
  }

  async begin(estate: Estate, flags: Record<string, unknown>): Promise<void> {
    for (const secret of estate.secretValues()) this.#redactor.add(secret)
    this.#journal = await openJournal({
      estate: estate.name,
      redact: this.#redactor.redact,
      warn: (text) => this.#emit({ event: 'note', text, warning: true }),
    })
    this.#emit({ event: 'start', flags, dryRun: this.#common.dryRun })
    for (const warning of estate.warnings) this.#emit({ event: 'note', text: warning, warning: true })
  }

  async work<S extends z.ZodObject>(task: Task<S>, estate: Estate, flags: z.output<S>): Promise<void> {
    const terminal = process.stdin.isTTY && process.stderr.isTTY
    const closers: (() => Promise<void>)[] = []
    const run: Run = {
      dryRun: this.#common.dryRun,
      signal: () => this.#cancellation.signal,
      atEnd: (close) => void closers.push(close),
      onChange: (change) => this.#emit({ event: 'change', ...change }),
      onSecret: (secret) => this.#redactor.add(secret),
      askSecret: (label) =>
        this.#reporter.ask(() =>
          askSecret({ label, isTerminal: terminal, signal: this.#cancellation.signal }),
        ),
    }
    const hosts = new Hosts(estate, run)
    const lendable = task.takesTerminal ? operatorTerminal() : undefined
    const session = new Session<z.output<S>>({
      estate,
      flags,
      hosts,
      run,
      holder: { who: operator(), task: task.name, since: new Date().toISOString() },
      inventory: this.#common.inventory,
      yes: this.#common.yes,
      emit: (event) => this.#emit(event),
      handOver: lendable && ((use) => this.#reporter.ask(() => this.#lend(lendable, use))),
      ask: terminal ? (prompt) => this.#reporter.ask(prompt) : undefined,
      cancellation: this.#cancellation,
    })
    try {
      const needs = task.preflight({ estate, flags })
      const refusals =
        task.takesTerminal && !run.dryRun ? terminalProblems(task.name, this.#common, lendable) : []
      await preflight(session, { ...needs, problems: [...refusals, ...needs.problems] })
      await task.run(session)
    } finally {
      await session.releaseLocks()
      await Promise.all(closers.map((close) => close()))
      await hosts.close()
    }
  }

  async #lend<T>(terminal: Terminal, use: (terminal: Terminal) => Promise<T>): Promise<T> {
    this.#isLent = true
    try {
      return await lend(terminal, use)
    } finally {
      this.#isLent = false
    }
  }

  #emit(body: TaskEventBody): void {
    if (body.event === 'change' && body.state === 'done') this.#changed += 1
    if (body.event === 'change' && body.state === 'unchanged') this.#unchanged += 1
    const event = { time: new Date().toISOString(), task: this.#task, ...this.#redacted(body) }
    this.#reporter.event(event)
    this.#journal?.event(event)
  }

  #redacted<Value>(value: Value): Value
  #redacted(value: unknown): unknown {
    if (typeof value === 'string') return this.#redactor.redact(value)
    if (Array.isArray(value)) return value.map((item) => this.#redacted(item))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#redacted(item)]))
  }

  /** The first signal stops the run in good order; a second one ends it on the spot. */
  #listenForSignals(): () => void {
    let asked: number | undefined
    const stop = (signal: NodeJS.Signals): void => {
      if (this.#isLent && signal === 'SIGINT') return
      const by = signal === 'SIGINT' ? 'Ctrl-C' : signal
      if (asked !== undefined) {
        if (performance.now() - asked < echo) return
        const text = `stopped at once by a second ${by}; the next run sees how far it came`
        this.#emit({ event: 'error', message: text, code: exitCode.cancelled })
        // The machines' guards end what runs there as soon as our connections are gone.
        process.exit(exitCode.cancelled)
      }
      asked = performance.now()
      this.#emit({
        event: 'note',
        text: `${by}: stopping in good order; once more stops at once`,
        warning: true,
      })
      this.#cancellation.cancel(new TaskError(`cancelled by ${by}`, { code: exitCode.cancelled }))
    }
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    for (const signal of signals) process.on(signal, stop)
    return () => {
      for (const signal of signals) process.off(signal, stop)
    }
  }
}

/** An error that already says where things stand, and starts with why. */
function isRecovered(error: unknown): boolean {
  return error instanceof TaskError && error.cause !== undefined
}

import { ChildProcess } from 'node:child_process'
import { PassThrough, type Readable, type Writable } from 'node:stream'
import { finished } from 'node:stream/promises'

import { HostError } from './errors.ts'

/** A command that has started somewhere: a channel of an SSH connection, or a local process. */
export interface Running {
  stdin: Writable
  stdout: Readable
  stderr: Readable
  /** Settles when the command has ended; rejects with a HostError when that was never learned. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Asks the whole process group to end. */
  kill(signal: NodeJS.Signals): void
  /** Gives up on it: nothing more is read or written. */
  abandon(): void
}

/** A command that does not obey gets SIGKILL after the first, and is given up after the second. Milliseconds. */
const patience = 5000
const grace = 8000

/** Above every process number that an operating system hands out, so that none of its own is ever hit. */
const firstNumber = 2 ** 40
let lastNumber = firstNumber
const alive = new Map<number, MachineProcess>()

/**
 * The ChildProcess that zx gets from its `spawn`. It exists at once, as zx wants it, while the
 * connection, sudo and the channel are still being made.
 */
export class MachineProcess extends ChildProcess {
  override stdin = new PassThrough()
  override stdout = new PassThrough()
  override stderr = new PassThrough()
  override stdio: [Writable, Readable, Readable, undefined, undefined] = [
    this.stdin,
    this.stdout,
    this.stderr,
    undefined,
    undefined,
  ]
  override readonly pid = ++lastNumber
  override exitCode: number | null = null
  readonly #host: string
  #running: Running | undefined
  /** Why it is being ended from here; told instead of a bare signal. */
  #reason: HostError | undefined
  #ending = false
  #over = false

  constructor(host: string, starting: (self: MachineProcess) => Promise<Running>, signal?: AbortSignal) {
    super()
    this.#host = host
    alive.set(this.pid, this)
    const cancel = (): void => this.end(new HostError(host, 'cancelled', 'cancelled'))
    signal?.addEventListener('abort', cancel)
    this.once('close', () => signal?.removeEventListener('abort', cancel))
    // One turn later, so that zx has attached its listeners before anything can fail.
    setImmediate(() => {
      if (signal?.aborted) cancel()
      if (this.#over) return
      starting(this).then(
        (running) => this.#attach(running),
        (error: unknown) => void this.#finish(null, null, error),
      )
    })
  }

  override kill(signal: NodeJS.Signals | number = 'SIGTERM'): boolean {
    if (typeof signal === 'number' || this.#over) return false
    if (this.#running) {
      this.#running.kill(signal)
      if (!this.#ending) {
        this.#ending = true
        setTimeout(() => this.#over || this.#running?.kill('SIGKILL'), patience).unref()
        setTimeout(() => this.#giveUp(signal), grace).unref()
      }
    } else {
      void this.#finish(null, signal, this.#reason)
    }
    return true
  }

  /** Ends the command for a reason that the caller is to be told. */
  end(reason: HostError): void {
    this.#reason ??= reason
    this.kill('SIGTERM')
  }

  #giveUp(signal: NodeJS.Signals): void {
    if (this.#over) return
    const reason = this.#reason?.message.replace(`${this.#host}: `, '') ?? `sent ${signal}`
    this.#running?.abandon()
    const failure = this.#reason?.failure ?? 'timeout'
    const error = new HostError(
      this.#host,
      failure,
      `${reason}; the command did not end within ${grace / 1000} s`,
    )
    void this.#finish(null, signal, error)
  }

  #attach(running: Running): void {
    if (this.#over) {
      running.kill('SIGTERM')
      running.ended.catch(() => {})
      return
    }
    this.#running = running
    this.stdin.pipe(running.stdin)
    // A command may end without reading all of its input (`head -1`): its exit code tells, not EPIPE.
    running.stdin.on('error', () => {})
    running.stdout.pipe(this.stdout)
    running.stderr.pipe(this.stderr)
    running.ended.then(
      ({ code, signal }) => void this.#finish(code, signal, this.#reason),
      (error: unknown) => void this.#finish(null, null, this.#reason ?? error),
    )
    if (this.#reason) this.kill('SIGTERM')
  }

  async #finish(code: number | null, signal: NodeJS.Signals | null, error?: unknown): Promise<void> {
    if (this.#over) return
    this.#over = true
    alive.delete(this.pid)
    this.exitCode = code
    // Whoever still writes is not to wait for a reader that has gone.
    this.stdin.unpipe()
    this.stdin.resume()
    if (this.#running && !error) {
      await Promise.allSettled([
        finished(this.stdout, { writable: false }),
        finished(this.stderr, { writable: false }),
      ])
    } else {
      this.stdout.end()
      this.stderr.end()
    }
    if (error) this.emit('error', error)
    this.emit('exit', code, signal)
    this.emit('close', code, signal)
  }
}

/**
 * Where zx's timeout and `.kill()` end up: they know a process only by its number, and would
 * otherwise look it up among the processes of this computer.
 */
export function killByNumber(pid: number | string, signal?: NodeJS.Signals): boolean {
  const found = alive.get(Number(pid))
  found?.kill(signal)
  return found !== undefined || Number(pid) > firstNumber
}

import { execa, type Subprocess } from 'execa'

/** Somebody pressed Ctrl-C, or a command failed: what was started is still put away. */
export class Stopped extends Error {
  readonly code: number

  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Shows commands and runs them on this terminal, one after the other, until the first signal. */
export class Stage {
  readonly #cwd: string
  readonly #stop = (signal: NodeJS.Signals): void => this.#stopped(signal)
  #signal: NodeJS.Signals | undefined
  #running: Subprocess | undefined

  constructor(cwd: string) {
    this.#cwd = cwd
    for (const signal of signals) process.on(signal, this.#stop)
  }

  /** Set once a signal has come. */
  get stopped(): Stopped | undefined {
    return this.#signal && new Stopped(`stopped by ${this.#signal}`, 130)
  }

  /** @throws Stopped when a signal has come */
  check(): void {
    if (this.stopped) throw this.stopped
  }

  /**
   * Not by `npx tsx`: npx does not wait for its command at SIGTERM, and tsx kills one that has not heard a
   * signal within 60 ms.
   * @throws Stopped when it fails, or is ended by a signal
   */
  async runTask(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
    this.check()
    const command = ['--import', 'tsx', ...args]
    const line = ['node', ...command].join(' ')
    process.stdout.write(`\n$ ${line}\n`)
    const options = { cwd: this.#cwd, env, extendEnv: false, stdio: 'inherit', reject: false } as const
    const running = execa(process.execPath, command, options)
    this.#running = running
    const { exitCode, signal } = await running
    this.#running = undefined
    this.check()
    if (exitCode !== 0) throw new Stopped(`this ended with ${signal ?? `exit code ${exitCode}`}: ${line}`, 1)
  }

  end(): void {
    for (const signal of signals) process.off(signal, this.#stop)
  }

  #stopped(signal: NodeJS.Signals): void {
    this.#signal ??= signal
    // A Ctrl-C in a terminal reaches the command as well, and a second one would make it stop at once.
    if (signal === 'SIGINT' && process.stdin.isTTY) return
    this.#running?.kill(signal)
  }
}

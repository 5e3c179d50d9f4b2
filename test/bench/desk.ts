import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Lab } from '../lab/lab.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** More than the slowest way takes on a busy machine. Milliseconds. */
const patience = 60_000

export interface Errand {
  input?: string
  env?: Record<string, string>
}

/** Where the operator's commands run, one at a time, and are timed. */
export class Desk {
  readonly lab: Lab
  /** Below it all files of a measurement. Short: the path of a ControlMaster's socket has 108 characters at most. */
  readonly folder: string
  readonly #signal: AbortSignal
  #errands = 0

  private constructor(lab: Lab, folder: string, signal: AbortSignal) {
    this.lab = lab
    this.folder = folder
    this.#signal = signal
  }

  static async open(lab: Lab, signal: AbortSignal): Promise<Desk> {
    return new Desk(lab, await mkdtemp(join(tmpdir(), 'hm-bench-')), signal)
  }

  /** Runs a command on the workstation; throws unless it exits with 0. */
  async run(
    command: readonly string[],
    { input, env }: Errand = {},
  ): Promise<{ ms: number; output: string }> {
    const [file = '', ...args] = command
    const log = join(this.folder, `output-${(this.#errands += 1)}`)
    // A file, not a pipe: a ControlMaster that stays behind would keep a pipe open, and us waiting.
    const script = 'exec "$@" >"$0" 2>&1'
    const start = performance.now()
    const { exitCode, shortMessage, failed } = await this.lab.controller(
      'sh',
      ['-c', script, log, file, ...args],
      {
        cwd: root,
        reject: false,
        timeout: patience,
        cancelSignal: this.#signal,
        ...(env === undefined ? {} : { env }),
        ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
      },
    )
    const ms = performance.now() - start
    const output = await readFile(log, 'utf8')
    if (!failed) return { ms, output }
    const how = exitCode === undefined ? shortMessage : `exit ${exitCode}`
    throw new Error(`${how}: ${command.join(' ')}\n${output.slice(-2000)}`)
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}

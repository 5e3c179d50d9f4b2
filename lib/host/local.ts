import { connect } from 'node:net'
import { userInfo } from 'node:os'
import type { Duplex } from 'node:stream'

import { type Dialogue, type Program, secretLines, takeSecrets } from './dialogue.ts'
import { HostError } from './errors.ts'
import type { Escalation } from './escalation.ts'
import type { Machine } from './machine.ts'
import type { Running } from './process.ts'
import { quote } from './quote.ts'

/** The computer the task runs on, with the same interface as a machine behind SSH. */
export class LocalMachine implements Machine {
  readonly host: string
  readonly loginUser = userInfo().username

  constructor(host: string) {
    this.host = host
  }

  async connect(): Promise<void> {
    // There is nothing in between.
  }

  async dial(address: string, port: number): Promise<Duplex> {
    const socket = connect(port, address)
    socket.setNoDelay(true)
    return new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(socket))
      socket.once('error', (error) =>
        reject(new HostError(this.host, 'unreachable', `cannot open ${address}:${port}: ${error.message}`)),
      )
    })
  }

  async close(): Promise<void> {
    // Nothing stays open between commands.
  }

  async start(line: string, escalation: Escalation): Promise<Running> {
    const { execa } = await import('execa')
    const child = execa('bash', ['-c', `exec ${escalation.prefix} ${line}`], {
      buffer: false,
      reject: false,
      // A process group of its own, so that a signal reaches all that the command started.
      detached: process.platform !== 'win32',
      cleanup: true,
    })
    if (escalation.password !== undefined) child.stdin.write(`${escalation.password}\n`)
    const ended = child.then((result) => {
      if (result.code === 'ENOENT') throw this.#noBash()
      return { code: result.exitCode ?? null, signal: result.signal ?? null }
    })
    return {
      stdin: child.stdin,
      stdout: child.stdout,
      stderr: child.stderr,
      ended,
      kill: (signal) => {
        if (child.pid === undefined) return
        try {
          process.kill(process.platform === 'win32' ? child.pid : -child.pid, signal)
        } catch {
          // It has ended meanwhile.
        }
      },
      abandon: () => {
        child.stdout.destroy()
        child.stderr.destroy()
      },
    }
  }

  /** The terminal is already the program's own: what is typed reaches it by /dev/tty, and secrets by stdin. */
  async converse(program: Program, { prefix, password }: Escalation, signal: AbortSignal): Promise<Dialogue> {
    const { execa } = await import('execa')
    const script = `${takeSecrets(program)}exec < /dev/tty; ${program.script}`
    return {
      attach: async () => {
        const {
          exitCode,
          signal: by,
          isCanceled,
          code,
        } = await execa('bash', ['-c', `exec ${prefix} bash -c ${quote(script)}`], {
          stdio: ['pipe', 'inherit', 'inherit'],
          input: `${password === undefined ? '' : `${password}\n`}${secretLines(program)}`,
          reject: false,
          cancelSignal: signal,
        })
        if (code === 'ENOENT') throw this.#noBash()
        if (isCanceled) throw new HostError(this.host, 'cancelled', 'cancelled')
        return { code: exitCode ?? null, signal: by ?? null }
      },
    }
  }

  #noBash(): HostError {
    return new HostError(
      this.host,
      'shell',
      'there is no bash here',
      'install bash, or run this on another machine',
    )
  }
}

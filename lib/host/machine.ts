import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'

import type { PseudoTtyOptions } from 'ssh2'

import type { Connection, OpenChannel } from './connection.ts'
import { type Dialogue, openDialogue, type Program, type RunningOnPty } from './dialogue.ts'
import { HostError } from './errors.ts'
import type { Escalation } from './escalation.ts'
import { channelVariable, Guard, guardLine } from './guard.ts'
import type { Running } from './process.ts'

/** Somewhere commands run: reached by SSH, or this computer itself. */
export interface Machine {
  readonly host: string
  readonly loginUser: string
  /** Makes the connection, as the first command would. */
  connect(): Promise<void>
  /** Starts a shell line as another user. */
  start(line: string, escalation: Escalation): Promise<Running>
  /** Opens a program that the operator is to talk to. The signal ends it. */
  converse(program: Program, escalation: Escalation, signal: AbortSignal): Promise<Dialogue>
  dial(address: string, port: number): Promise<Duplex>
  /** Ends the connection in good order. */
  close(): Promise<void>
}

/** A machine behind one SSH connection, opened when the first command needs it. */
export class SshMachine implements Machine {
  readonly host: string
  readonly loginUser: string
  readonly #open: () => Promise<Connection>
  /** Of the present connection: the guard of a lost one ends whatever bears that one's name. */
  #id = ''
  readonly #guards = new Map<string, Promise<Guard | undefined>>()
  #connection: Promise<Connection> | undefined
  #channels = 0

  constructor(host: string, loginUser: string, open: () => Promise<Connection>) {
    this.host = host
    this.loginUser = loginUser
    this.#open = open
  }

  async connect(): Promise<void> {
    await this.#connected()
  }

  async dial(address: string, port: number): Promise<Duplex> {
    const connection = await this.#connected()
    return connection.dial(address, port)
  }

  async close(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined)
    await Promise.all([...this.#guards.values()].map(async (guard) => (await guard)?.dismiss()))
    this.#guards.clear()
    this.#connection = undefined
    await connection?.close()
  }

  /** A connection that was lost is made again for the next command, never for one that was running on it. */
  async #connected(): Promise<Connection> {
    const held = this.#connection
    const current = await held?.catch(() => undefined)
    if (current && !current.lost) return current
    // Of several that find it lost, the first one makes it again.
    if (this.#connection === held) {
      this.#id = randomBytes(6).toString('hex')
      this.#guards.clear()
      this.#connection = this.#open()
    }
    return this.#connection ?? this.#connected()
  }

  async start(line: string, escalation: Escalation): Promise<Running> {
    const { running } = await this.#launch(`${escalation.prefix} ${line}`, escalation)
    if (escalation.password !== undefined) running.stdin.write(`${escalation.password}\n`)
    return running
  }

  converse(program: Program, escalation: Escalation, signal: AbortSignal): Promise<Dialogue> {
    // Without echo: RFC 4254, 8.
    const pty: PseudoTtyOptions = { term: program.term, modes: { ECHO: 0 } }
    const start = async (line: string): Promise<RunningOnPty> => {
      const { running, channel } = await this.#launch(line, escalation, pty)
      return { ...running, resize: ({ rows, columns }) => channel.setWindow(rows, columns, 0, 0) }
    }
    return openDialogue(this.host, program, escalation, start, signal)
  }

  async #launch(line: string, escalation: Escalation, pty?: PseudoTtyOptions) {
    const connection = await this.#connected()
    const leave = await connection.enter()
    try {
      this.#guard(connection, escalation)
      const name = `${this.#id}.${(this.#channels += 1)}.`
      // `exec` keeps the number that `$$` names, and has the mark in its environment from the start.
      const open = await connection.exec(`${channelVariable}=${name}$$ exec ${line}`, pty)
      return { running: this.#running(connection, open, name, leave), channel: open.channel }
    } catch (error) {
      leave()
      throw error
    }
  }

  #running(
    connection: Connection,
    { channel, ended }: OpenChannel,
    name: string,
    leave: () => void,
  ): Running {
    return {
      stdin: channel,
      stdout: channel,
      stderr: channel.stderr,
      ended: ended.then((exit) => {
        leave()
        if (exit) return { code: exit.code, signal: signalName(exit.signal) }
        throw connection.lost ?? new HostError(this.host, 'lost', 'the command ended without an exit code')
      }),
      kill: (signal) => {
        for (const guard of this.#guards.values()) void guard.then((there) => there?.end(name, signal))
      },
      abandon: () => channel.destroy(),
    }
  }

  /** One guard for the login user, and one as root where sudo is used: it alone can end what sudo started. */
  #guard(connection: Connection, escalation: Escalation): void {
    const prefix = escalation.prefix.replace(/-u \S+/, '-u root')
    const key = escalation.prefix.startsWith('sudo') ? prefix : ''
    if (this.#guards.has(key)) return
    const opening = connection.exec(guardLine(this.#id, key)).then(({ channel }) => {
      if (key && escalation.password !== undefined) channel.write(`${escalation.password}\n`)
      return new Guard(channel)
    })
    this.#guards.set(
      key,
      opening.catch(() => undefined),
    )
  }
}

/** SSH names signals without SIG (RFC 4254, 6.10). */
function signalName(signal: string | undefined): NodeJS.Signals | null {
  const known: NodeJS.Signals[] = [
    'SIGTERM',
    'SIGKILL',
    'SIGINT',
    'SIGHUP',
    'SIGSEGV',
    'SIGABRT',
    'SIGPIPE',
    'SIGALRM',
  ]
  return known.find((name) => name === signal || name === `SIG${signal}`) ?? null
}

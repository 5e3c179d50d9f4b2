import type { Duplex } from 'node:stream'

import type { Dialogue, Program } from './dialogue.ts'
import { HostError } from './errors.ts'
import { asLoginUser, type Escalation, findEscalation } from './escalation.ts'
import type { Change, Run } from './events.ts'
import { readTextFile, type WriteOptions, writeTextFile } from './files.ts'
import { type StreamCommand, streaming } from './flow.ts'
import { acquireLock, type Attempt, type Holder } from './lock.ts'
import type { Machine } from './machine.ts'
import { type Command, shell } from './shell.ts'

/** A machine of the estate, as one of its users. */
export class Host {
  readonly name: string
  readonly user: string
  /** A question: runs in a dry run too, and must change nothing. */
  readonly read: Command
  /** An act: told and journaled; in a dry run only told. */
  readonly change: Command
  /** A question whose answer is too big to keep: read while it comes. */
  readonly stream: StreamCommand
  readonly #access: Access
  readonly #run: Run

  constructor(access: Access, run: Run, user: string) {
    this.name = access.machine.host
    this.user = user
    this.#access = access
    this.#run = run
    const context = this.#context()
    this.read = shell(context, 'read')
    this.change = shell(context, 'change')
    this.stream = streaming(context)
  }

  /** The same machine and connection, as another user: by runuser from root, else by sudo. */
  as(user: string): Host {
    return user === this.user ? this : new Host(this.#access, this.#run, user)
  }

  readFile(path: string): Promise<string | undefined> {
    return readTextFile(this.read, path)
  }

  /** Atomic; tells `unchanged` and does nothing when the file is as it should be; shows a diff in a dry run. */
  async write(path: string, content: string, options: WriteOptions = {}): Promise<void> {
    const changed = await writeTextFile(this.read, this.change, path, content, options)
    if (!changed) {
      this.#run.onChange({ state: 'unchanged', host: this.name, user: this.user, command: `write ${path}` })
    }
  }

  /**
   * Opens a program that the operator is to talk to; undefined in a dry run.
   * @param command what the dry run and the journal show; what is typed is told to nobody
   */
  async converse(command: string, program: Program): Promise<Dialogue | undefined> {
    const { machine, run, user, escalation } = this.#context()
    const tell = (state: Change['state']): void => run.onChange({ state, host: this.name, user, command })
    if (run.dryRun) {
      tell('would')
      return undefined
    }
    try {
      const dialogue = await machine.converse(program, await escalation(), run.signal())
      tell('done')
      return dialogue
    } catch (error) {
      tell('failed')
      throw error
    }
  }

  /**
   * Makes the connection, if there is none yet: for what needs no shell, and ahead of what does.
   * @throws HostError
   */
  connect(): Promise<void> {
    return this.#access.machine.connect()
  }

  /** A TCP connection from this machine to an address it can reach. */
  dial(address: string, port: number): Promise<Duplex> {
    return this.#access.machine.dial(address, port)
  }

  /** Takes the machine's lock `name`, as root, until it is released or we are gone. */
  lock(name: string, holder: Holder): Promise<Attempt> {
    return acquireLock(this.as('root').#context(), name, holder)
  }

  /**
   * Proves that commands run here as this user.
   * @throws HostError that says why not
   */
  async verify(): Promise<void> {
    const output = await this.read({ nothrow: true })`:`
    if (output.exitCode === 127) {
      throw new HostError(this.name, 'shell', 'there is no bash', 'as root there: apt-get install bash')
    }
    if (output.exitCode !== 0) {
      const said = output.stderr.trim().split('\n').at(-1)
      throw new HostError(this.name, 'shell', `bash does not run (exit code ${output.exitCode}): ${said}`)
    }
  }

  #context() {
    return {
      machine: this.#access.machine,
      user: this.user,
      escalation: () => this.#access.escalation(this.user),
      run: this.#run,
    }
  }
}

/** One machine and what was found out about becoming its users; shared by all hosts of that name. */
export class Access {
  readonly machine: Machine
  readonly #sudoPassword: () => Promise<string | undefined>
  readonly #found = new Map<string, Promise<Escalation>>()

  constructor(machine: Machine, sudoPassword: () => Promise<string | undefined>) {
    this.machine = machine
    this.#sudoPassword = sudoPassword
  }

  escalation(user: string): Promise<Escalation> {
    if (user === this.machine.loginUser) return Promise.resolve(asLoginUser)
    let found = this.#found.get(user)
    if (!found) {
      found = findEscalation(this.machine, user, this.#sudoPassword)
      this.#found.set(user, found)
      // A connection that broke in the middle says nothing about sudo: ask again next time.
      found.catch((error: unknown) => {
        if (!(error instanceof HostError && error.failure === 'sudo')) this.#found.delete(user)
      })
    }
    return found
  }
}

import { resolve } from 'node:path'
import type { Duplex, Readable } from 'node:stream'

import type { Estate } from '../inventory/estate.ts'
import type { SecretRef } from '../inventory/secrets.ts'
import { HostError } from './errors.ts'
import type { Run } from './events.ts'
import { Access, Host } from './host.ts'
import type { Verdict } from './known-hosts.ts'
import type { Machine } from './machine.ts'
import { quote } from './quote.ts'
import type { SshSettings } from './ssh-settings.ts'

/** The machines of an estate during one run; each is connected to when it is first needed. */
export class Hosts {
  readonly #estate: Estate
  readonly #run: Run
  readonly #machine: (name: string) => Promise<Machine>
  readonly #accesses = new Map<string, Promise<Access>>()
  readonly #jumps = new Set<string>()
  readonly #secrets = new Map<string, Promise<string | undefined>>()

  /** @param machine reaches a machine by its name; default: by SSH, or directly when it is this computer */
  constructor(estate: Estate, run: Run, machine?: (name: string) => Promise<Machine>) {
    this.#estate = estate
    this.#run = run
    this.#machine = machine ?? ((name) => this.#reach(name))
  }

  /** The host as its login user. Does not connect yet. */
  async get(name: string): Promise<Host> {
    const access = await this.#access(name)
    return new Host(access, this.#run, access.machine.loginUser)
  }

  /** A TCP connection, opened on a machine of the estate, or with `undefined` on this computer. */
  async dial(from: string | undefined, address: string, port: number): Promise<Duplex> {
    if (from !== undefined) return (await this.get(from)).dial(address, port)
    const { LocalMachine } = await import('./local.ts')
    return new LocalMachine('this computer').dial(address, port)
  }

  /** Ends all connections in good order. */
  async close(): Promise<void> {
    const opened = await Promise.all(
      [...this.#accesses.values()].map((access) => access.catch(() => undefined)),
    )
    const machines = opened.flatMap((access) => (access ? [access.machine] : []))
    this.#accesses.clear()
    // Those that are reached through another one first, or their farewell would not get through.
    const [last, first] = [true, false].map((jump) =>
      machines.filter(({ host }) => this.#jumps.has(host) === jump),
    )
    for (const some of [first, last]) await Promise.all((some ?? []).map((machine) => machine.close()))
  }

  /** The key that a machine shows, what known_hosts says of it, and under which names it stands there. */
  async hostKey(name: string): Promise<{ key: Buffer; names: string[]; verdict: Verdict; file: string }> {
    const [{ fetchHostKey }, { KnownHosts, knownName }, { readSshConfig, sshSettings }] = await Promise.all([
      import('./connection.ts'),
      import('./known-hosts.ts'),
      import('./ssh-settings.ts'),
    ])
    const settings = sshSettings(this.#estate, await readSshConfig(), name)
    const { jump, address, port, knownHosts } = settings
    const key = await fetchHostKey(settings, jump ? await this.#through(name, jump, settings) : undefined)
    const names = [knownName(address, port)]
    const verdict = (await KnownHosts.read(knownHosts)).check(names, key)
    return { key, names, verdict, file: knownHosts[0] ?? '' }
  }

  #access(name: string): Promise<Access> {
    let access = this.#accesses.get(name)
    if (!access) {
      access = this.#machine(name).then(
        (machine) => new Access(machine, () => this.#sudoPassword(name, machine)),
      )
      access.catch(() => this.#accesses.delete(name))
      this.#accesses.set(name, access)
    }
    return access
  }

  async #reach(name: string): Promise<Machine> {
    if (this.#estate.hosts[name]?.local) {
      const { LocalMachine } = await import('./local.ts')
      return new LocalMachine(name)
    }
    const [{ SshMachine }, { connect }, { credentials }, { KnownHosts }, { readSshConfig, sshSettings }] =
      await Promise.all([
        import('./machine.ts'),
        import('./connection.ts'),
        import('./keys.ts'),
        import('./known-hosts.ts'),
        import('./ssh-settings.ts'),
      ])
    const settings = sshSettings(this.#estate, await readSshConfig(), name)
    return new SshMachine(name, settings.user, async () => {
      const [known, offered, sock] = await Promise.all([
        KnownHosts.read(settings.knownHosts),
        credentials(settings, (file) => this.#passphrase(name, file)),
        settings.jump ? this.#through(name, settings.jump, settings) : undefined,
      ])
      return connect(settings, known, offered, sock, trustCommand(this.#estate, name))
    })
  }

  /** A connection to a machine, made by the one that stands before it. */
  async #through(name: string, jump: string, { address, port }: SshSettings): Promise<Readable> {
    this.#jumps.add(jump)
    try {
      const access = await this.#access(jump)
      return await access.machine.dial(address, port)
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      const why = `the way there leads through ${error.message}`
      throw new HostError(name, error.failure, why, error.next, error)
    }
  }

  #passphrase(host: string, file: string): Promise<string | undefined> {
    return this.#secret(`key ${file}`, this.#estate.hosts[host]?.ssh?.passphrase, `passphrase of ${file}`)
  }

  #sudoPassword(host: string, machine: Machine): Promise<string | undefined> {
    const reference = this.#estate.hosts[host]?.ssh?.sudoPassword
    return this.#secret(`sudo ${host}`, reference, `sudo password of ${machine.loginUser} on ${host}`)
  }

  /** From `.env` where the inventory names it, else from the operator; asked once a run. */
  #secret(key: string, reference: SecretRef | undefined, label: string): Promise<string | undefined> {
    let secret = this.#secrets.get(key)
    if (!secret) {
      const found = reference ? Promise.resolve(this.#estate.secret(reference)) : this.#run.askSecret(label)
      secret = found.then((value) => {
        if (value !== undefined) this.#run.onSecret(value)
        return value
      })
      this.#secrets.set(key, secret)
    }
    return secret
  }
}

/** Works on the same inventory; in the working directory it needs no flag. */
function trustCommand({ file }: Estate, host: string): string {
  const inventory = file === resolve('inventory.json') ? '' : ` --inventory ${quote(file)}`
  return `npx tsx tasks/network-trust.ts --host ${quote(host)}${inventory}`
}

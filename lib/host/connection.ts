import type { Duplex, Readable } from 'node:stream'

import type { Client, ClientChannel, PseudoTtyOptions, ServerHostKeyAlgorithm } from 'ssh2'

import { HostError } from './errors.ts'
import { type Credentials } from './keys.ts'
import { fingerprint, KnownHosts, knownName, keyType } from './known-hosts.ts'
import { Limiter } from './limiter.ts'
import type { SshSettings } from './ssh-settings.ts'

/** sshd may take this long to answer and let us in, in milliseconds. */
const readyTimeout = 15_000
/** Silence for this long, four times over, means that the connection is gone. */
export const heartbeat = 5000
const missedBeats = 4
/** Measured: at 8 channels at once some fail to open under churn, at 5 none does. */
const channelsAtOnce = 5
const openRetries = 6
/** Milliseconds. */
const closePatience = 1000

export interface OpenChannel {
  channel: ClientChannel
  /** Settles when the channel has closed; undefined when no exit code came before. */
  ended: Promise<Exit | undefined>
}

export interface Exit {
  code: number | null
  /** Without SIG, as SSH names it (RFC 4254, 6.10). */
  signal: string | undefined
}

/**
 * Listens at once: the exit code of a quick command may be in the packet that opened its channel.
 * @param lost settles with the connection: a channel through a jump host may not close by itself then
 */
function opened(channel: ClientChannel, lost: Promise<void>): OpenChannel {
  let exit: Exit | undefined
  channel.on('exit', (code: number | null, signal?: string) => {
    exit = { code, signal }
  })
  channel.on('error', () => {})
  const closed = new Promise<void>((resolve) => channel.once('close', () => resolve()))
  return { channel, ended: Promise.race([closed.then(() => exit), lost.then(() => undefined)]) }
}

/** One SSH connection: opened once, shared by all commands for a machine, never reopened underneath them. */
export class Connection {
  readonly #client: Client
  readonly #host: string
  readonly #limiter = new Limiter(channelsAtOnce)
  #lost: HostError | undefined
  readonly #whenLost: Promise<void>

  /** @param way the stream of a jump host that the client talks through */
  constructor(client: Client, host: string, way?: Readable) {
    this.#client = client
    this.#host = host
    this.#whenLost = new Promise((resolve) => {
      const lose = (why: string): void => {
        this.#lose(why)
        resolve()
      }
      client.on('error', (error) => lose(error.message))
      client.on('close', () => lose('closed by the other side'))
      // ssh2 stops its heartbeat without a word when the stream beneath it has ended.
      for (const event of ['end', 'close']) way?.on(event, () => lose('the way through the jump host ended'))
    })
  }

  /** The error that ended the connection, if it has ended. */
  get lost(): HostError | undefined {
    return this.#lost
  }

  /** Waits for a free place; the caller gives it back with `leave` when its channel has closed. */
  async enter(): Promise<() => void> {
    await this.#limiter.enter()
    return () => this.#limiter.leave()
  }

  /**
   * Opens a channel with a command. Not limited: for those that last as long as the connection.
   * @param pty a terminal for it, which takes its stdout and stderr together
   */
  async exec(line: string, pty?: PseudoTtyOptions): Promise<OpenChannel> {
    for (let attempt = 1; ; attempt += 1) {
      if (this.#lost) throw this.#lost
      try {
        // What waits for its channel while the connection is lost would wait for ever.
        return await Promise.race([
          new Promise<OpenChannel>((resolve, reject) => {
            this.#client.exec(line, pty ? { pty } : {}, (error, channel) =>
              error ? reject(error) : resolve(opened(channel, this.#whenLost)),
            )
          }),
          this.#whenLost.then(() => Promise.reject(this.#lost)),
        ])
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        if (this.#lost) throw this.#lost
        if (!/open failure/i.test(message) || attempt > openRetries) {
          throw new HostError(this.#host, 'lost', `could not open a channel: ${message}`, undefined, error)
        }
        await new Promise((resolve) => setTimeout(resolve, 20 * 2 ** attempt))
      }
    }
  }

  /** A TCP connection from that machine to somewhere it can reach. */
  async dial(address: string, port: number): Promise<Duplex> {
    if (this.#lost) throw this.#lost
    return new Promise((resolve, reject) => {
      // sshd there tries for two minutes to reach a machine that is silent.
      let late = false
      const timer = setTimeout(() => {
        late = true
        const error = new Error(`no answer within ${readyTimeout / 1000} s`)
        reject(forwardError(this.#host, address, port, error))
      }, readyTimeout)
      this.#client.forwardOut('127.0.0.1', 0, address, port, (error, channel) => {
        clearTimeout(timer)
        if (error) reject(this.#lost ?? forwardError(this.#host, address, port, error))
        else if (late) channel.destroy()
        else resolve(channel)
      })
    })
  }

  /** Resolves when the other side has seen it, or does not answer any more. */
  async close(): Promise<void> {
    if (this.#lost) return
    this.#lost = new HostError(this.#host, 'lost', 'the connection was closed')
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => this.#client.destroy(), closePatience)
      this.#client.once('close', () => {
        clearTimeout(late)
        resolve()
      })
      this.#client.end()
    })
  }

  #lose(why: string): void {
    this.#lost ??= new HostError(this.#host, 'lost', `the connection was lost (${why})`)
    this.#client.destroy()
  }
}

/**
 * @param trust the command that accepts a host key, for the message about one that is not known
 * @throws HostError that says what stood in the way
 */
export async function connect(
  settings: SshSettings,
  known: KnownHosts,
  offered: Credentials,
  sock: Readable | undefined,
  trust: string,
): Promise<Connection> {
  const { default: ssh2 } = await import('ssh2')
  const client = new ssh2.Client()
  const names = [knownName(settings.address, settings.port)]
  let denied: HostError | undefined
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve)
    // Not `once`: destroying it may bring another error, which nobody would listen to.
    client.on('error', (error) => {
      client.destroy()
      reject(denied ?? connectError(settings, offered, error))
    })
    client.once('close', () => reject(denied ?? connectError(settings, offered, new Error('closed'))))
    client.connect({
      ...(sock ? { sock } : { host: settings.address, port: settings.port }),
      username: settings.user,
      authHandler: offered.methods.map((method) => method),
      readyTimeout,
      keepaliveInterval: heartbeat,
      keepaliveCountMax: missedBeats,
      algorithms: { serverHostKey: preferred(known.types(names)) },
      hostVerifier: (key: Buffer) => {
        denied = verdict(settings, known, names, key, trust)
        return denied === undefined
      },
    })
    // Nagle costs 40 to 90 ms on every command.
    if (!sock) client.setNoDelay(true)
  })
  client.removeAllListeners('error')
  client.removeAllListeners('close')
  return new Connection(client, settings.host, sock)
}

/**
 * Asks a machine for its host key, and goes no further: nothing is sent that identifies us.
 * @throws HostError when the machine is not reached
 */
export async function fetchHostKey(settings: SshSettings, sock: Readable | undefined): Promise<Buffer> {
  const { default: ssh2 } = await import('ssh2')
  const client = new ssh2.Client()
  return new Promise((resolve, reject) => {
    let found: Buffer | undefined
    client.on('error', (error) => (found ? resolve(found) : reject(connectError(settings, nothing, error))))
    client.connect({
      ...(sock ? { sock } : { host: settings.address, port: settings.port }),
      username: settings.user,
      readyTimeout,
      algorithms: { serverHostKey: preferred([]) },
      hostVerifier: (key: Buffer) => {
        found = key
        return false
      },
    })
  })
}

const nothing: Credentials = { methods: [], tried: [] }

function verdict(
  settings: SshSettings,
  known: KnownHosts,
  names: string[],
  key: Buffer,
  trust: string,
): HostError | undefined {
  const result = known.check(names, key)
  const { host } = settings
  const shown = `${keyType(key)} ${fingerprint(key)}`
  switch (result.known) {
    case 'yes': {
      return undefined
    }
    case 'no': {
      return new HostError(
        host,
        'unknown-key',
        `unknown host key of ${names.join(', ')}: ${shown} is not in ${settings.knownHosts[0]}`,
        `${trust}   # shows the fingerprint, asks, and writes it to known_hosts`,
      )
    }
    case 'changed': {
      return new HostError(
        host,
        'changed-key',
        `the host key of ${names.join(', ')} has changed: it sent ${shown}, and ${result.file} line ${result.line} has another one. ` +
          'Either the machine was installed anew, or someone stands in between',
        `if you know why it changed: ${trust} --replace`,
      )
    }
    case 'revoked': {
      return new HostError(
        host,
        'changed-key',
        `the host key ${shown} is revoked by ${result.file} line ${result.line}`,
      )
    }
  }
}

/** The types that are on file come first, as in OpenSSH; otherwise a known machine would look unknown. */
function preferred(onFile: string[]): ServerHostKeyAlgorithm[] {
  const all: ServerHostKeyAlgorithm[] = [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ]
  const isOnFile = (type: string): boolean => onFile.includes(type.startsWith('rsa-') ? 'ssh-rsa' : type)
  return [...all.filter((type) => isOnFile(type)), ...all.filter((type) => !isOnFile(type))]
}

function connectError(settings: SshSettings, offered: Credentials, error: Error): HostError {
  const { host, address, port, user } = settings
  const where = `${address}:${port}`
  const code = 'code' in error ? error.code : undefined
  const level = 'level' in error ? error.level : undefined
  if (level === 'client-authentication') {
    const tried = offered.tried.length > 0 ? offered.tried.join('; ') : 'nothing: no key file and no agent'
    return new HostError(
      host,
      'refused',
      `sshd at ${where} did not let ${user} in. Offered: ${tried}`,
      `put your public key into ~${user}/.ssh/authorized_keys there, or name the right key in hosts.${host}.ssh.key`,
      error,
    )
  }
  if (level === 'agent') {
    return new HostError(
      host,
      'refused',
      `sshd at ${where} did not let ${user} in, and the agent does not help: ${error.message}. Offered: ${offered.tried.join('; ')}`,
      `ssh-add -l   # does the agent answer? Or name a key in hosts.${host}.ssh.key`,
      error,
    )
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new HostError(
      host,
      'address',
      `the name ${address} does not resolve`,
      `check hosts.${host}.addresses`,
      error,
    )
  }
  const why =
    code === 'ECONNREFUSED'
      ? `nothing listens on ${where} (connection refused)`
      : level === 'client-timeout' || code === 'ETIMEDOUT'
        ? `no answer from ${where} within ${readyTimeout / 1000} s`
        : code === 'EHOSTUNREACH' || code === 'ENETUNREACH'
          ? `no route to ${where}`
          : `could not connect to ${where}: ${error.message}`
  return new HostError(host, 'unreachable', why, `ssh -p ${port} ${user}@${address}   # is it up?`, error)
}

function forwardError(host: string, address: string, port: number, error: Error): HostError {
  // OpenSSH's text is "open failed" in both cases (RFC 4254, 5.1: 1 is SSH_OPEN_ADMINISTRATIVELY_PROHIBITED).
  const prohibited = 'reason' in error && error.reason === 1
  return new HostError(
    host,
    'forward',
    `cannot open ${address}:${port} from there: ${error.message}`,
    prohibited ? 'set AllowTcpForwarding yes (or local) in its sshd_config' : undefined,
    error,
  )
}

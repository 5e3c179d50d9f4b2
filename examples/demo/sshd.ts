import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { homedir, userInfo } from 'node:os'
import { dirname } from 'node:path'

import ssh2, {
  type AcceptConnection,
  type AuthContext,
  type Connection,
  type RejectConnection,
  type ServerChannel,
  type Session,
  type TcpipRequestInfo,
} from 'ssh2'

import { ChannelCommand, type CommandPlace } from './command.ts'
import { generateKey, publicBlob } from './keys.ts'

export interface SshdOptions {
  /** Public keys that are let in, as in authorized_keys. */
  authorizedKeys: string[]
  /** The one user that may log in. Commands run as the user of this process, whatever the name. */
  user?: string
  /** Default: a free one. */
  port?: number
  /** Private key. Default: a new one. */
  hostKey?: string
  /** Where commands start. */
  home?: string
  /** Added to the few variables that sshd gives to a command. */
  env?: Record<string, string>
  /** Accepts connections and says nothing. */
  silent?: boolean
  /** False: direct-tcpip is prohibited. */
  forwarding?: boolean
  /** True: commands go on when their connection is gone, as with OpenSSH. Default: they are ended. */
  keepsCommands?: boolean
}

/** A host on loopback that behaves as sshd does, or misbehaves on demand. */
export interface Sshd {
  readonly address: string
  readonly port: number
  /** Private key of the host. */
  readonly hostKey: string
  /** Its line for known_hosts. */
  readonly knownHost: string
  /** Connections that are open now, and those ever accepted. */
  readonly connections: { open: number; ever: number }
  /** Commands that run now. */
  readonly commands: number
  /** Resets all connections, as a machine does that has just been restarted. */
  cut(): void
  /** As if the cable was pulled: reads and writes nothing any more, on connections that are there. */
  freeze(): void
  /** Ends everything that it started. */
  close(): Promise<void>
}

const address = '127.0.0.1'

export async function startSshd(options: SshdOptions): Promise<Sshd> {
  const host = new Host(options)
  await host.listen()
  return host
}

class Host implements Sshd {
  readonly address = address
  readonly hostKey: string
  readonly #options: SshdOptions
  readonly #keys: Buffer[]
  readonly #sockets = new Set<Socket>()
  readonly #commands = new Set<ChannelCommand>()
  readonly #ssh: ssh2.Server
  readonly #server = createServer((socket) => this.#connected(socket))
  #port = 0
  #ever = 0

  constructor(options: SshdOptions) {
    this.#options = options
    this.#keys = options.authorizedKeys.map((key) => publicBlob(key))
    this.hostKey = options.hostKey ?? generateKey('host').private
    this.#ssh = new ssh2.Server({ hostKeys: [this.hostKey] }, (client) => this.#serve(client))
  }

  get port(): number {
    return this.#port
  }

  get knownHost(): string {
    return `[${address}]:${this.#port} ssh-ed25519 ${publicBlob(this.hostKey).toString('base64')}`
  }

  get connections(): { open: number; ever: number } {
    return { open: this.#sockets.size, ever: this.#ever }
  }

  get commands(): number {
    return this.#commands.size
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#options.port ?? 0, address)
    await once(this.#server, 'listening')
    this.#port = portOf(this.#server)
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  freeze(): void {
    for (const socket of this.#sockets) {
      socket.pause()
      socket.cork()
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    await Promise.all([...this.#commands].map((command) => command.end()))
    await closed
  }

  #connected(socket: Socket): void {
    this.#ever += 1
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    socket.setNoDelay(true)
    if (this.#options.silent) socket.resume()
    else this.#ssh.injectSocket(socket)
  }

  #serve(client: Connection): void {
    client.on('error', () => {})
    client.on('authentication', (context) => this.#authenticate(context))
    client.on('session', (accept) => this.#session(client, accept()))
    // Without a listener ssh2 answers that it is prohibited.
    if (this.#options.forwarding !== false) client.on('tcpip', forward)
  }

  #authenticate(context: AuthContext): void {
    const user = this.#options.user ?? userInfo().username
    if (context.method !== 'publickey' || context.username !== user) {
      context.reject(['publickey'])
      return
    }
    const { key, blob, signature, hashAlgo } = context
    const isKnown = this.#keys.some((each) => each.equals(key.data))
    const parsed = ssh2.utils.parseKey(key.data)
    if (!isKnown || parsed instanceof Error) {
      context.reject(['publickey'])
      return
    }
    // Without a signature it is a question: would this key do? An Error comes back for a malformed one.
    const proven: unknown = !signature || !blob || parsed.verify(blob, signature, hashAlgo)
    if (proven === true) context.accept()
    else context.reject(['publickey'])
  }

  #session(client: Connection, session: Session): void {
    session.on('exec', (accept, _, { command: line }) => {
      const channel = accept()
      const command = new ChannelCommand(channel, line, this.#place())
      void this.#watch(client, channel, command)
      session.on('signal', (acceptSignal, __, { name }) => {
        acceptSignal?.()
        command.signal(name)
      })
    })
  }

  async #watch(client: Connection, channel: ServerChannel, command: ChannelCommand): Promise<void> {
    const end = (): void => void command.end()
    this.#commands.add(command)
    if (!this.#options.keepsCommands) {
      channel.once('close', end)
      client.once('close', end)
    }
    await command.ended
    client.off('close', end)
    this.#commands.delete(command)
  }

  /** sshd gives no more than this; a variable of ours must not reach a command by accident. */
  #place(): CommandPlace {
    const { home = homedir(), env = {}, user = userInfo().username } = this.#options
    return {
      home,
      env: {
        PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
        HOME: home,
        USER: user,
        LOGNAME: user,
        SHELL: '/bin/bash',
        ...env,
      },
    }
  }
}

/** To servers on this machine only. */
function forward(
  accept: AcceptConnection<ServerChannel>,
  reject: RejectConnection,
  { destIP, destPort }: TcpipRequestInfo,
): void {
  if (destIP !== address && destIP !== 'localhost') {
    reject()
    return
  }
  const socket = connect(destPort, address)
  socket.once('error', reject)
  socket.once('connect', () => {
    socket.off('error', reject)
    const channel = accept()
    // As OpenSSH: it says that nothing more will come, and leaves the closing to the other side.
    socket.on('error', () => channel.eof())
    channel.on('error', () => socket.destroy())
    socket.setNoDelay(true)
    socket.pipe(channel).pipe(socket)
  })
}

function portOf(server: Server): number {
  const bound = server.address()
  return typeof bound === 'object' && bound ? bound.port : 0
}

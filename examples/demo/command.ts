import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'

import type { ServerChannel } from 'ssh2'

export interface CommandPlace {
  env: NodeJS.ProcessEnv
  /** Working directory. */
  home: string
}

/** How long a command may take to end after SIGTERM before it gets SIGKILL. Milliseconds. */
const patience = 2000

/** One command that runs for a channel, in a process group of its own, as sshd starts it. */
export class ChannelCommand {
  readonly #child: ChildProcess
  #over = false
  /** Resolves when the command has ended and its pipes are closed. */
  readonly ended: Promise<void>

  constructor(channel: ServerChannel, line: string, { env, home }: CommandPlace) {
    const child = spawn('/bin/bash', ['-c', line], { env, cwd: home, detached: true, stdio: 'pipe' })
    this.#child = child
    this.ended = new Promise((resolve) => {
      child.once('close', () => {
        this.#over = true
        resolve()
      })
    })
    // A command may end without reading all of its input; ssh2 then still has some for it.
    child.stdin.on('error', () => channel.resume())
    channel.on('error', () => {})
    channel.pipe(child.stdin)
    serve(channel, child).catch(() => channel.destroy())
  }

  /** @param name with or without SIG, as SSH has it */
  signal(name: string): void {
    const found = Object.entries(constants.signals).find(([full]) => full === name || full === `SIG${name}`)
    // Once it is over, its number may be somebody else's.
    if (!found || this.#over || this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, found[1])
    } catch {
      // The group has ended meanwhile.
    }
  }

  /** Ends the whole group, unless the command has ended by itself: what it left behind then was meant to stay. */
  async end(): Promise<void> {
    this.signal('TERM')
    const last = setTimeout(() => this.signal('KILL'), patience)
    await this.ended
    clearTimeout(last)
  }
}

async function serve(
  channel: ServerChannel,
  child: ChildProcess & { stdout: Readable; stderr: Readable },
): Promise<void> {
  const send = sender(channel)
  const copy = async (from: Readable, to: Writable): Promise<void> => {
    for await (const chunk of from) await send(to, chunk)
  }
  const [status] = await Promise.all([
    exitOf(child),
    copy(child.stdout, channel),
    copy(child.stderr, channel.stderr),
  ])
  if (typeof status === 'number') channel.exit(status)
  else channel.exit(status.replace('SIG', ''), false, '')
  channel.end()
}

/**
 * Sends one chunk after the other, whichever of the two streams it is for. ssh2 1.17 cannot have both wait
 * for the window of their channel: it wakes only one, and repeats a chunk that it had kept for the other.
 */
function sender(channel: ServerChannel): (to: Writable, chunk: Buffer) => Promise<void> {
  let turn = Promise.resolve()
  const write = async (to: Writable, chunk: Buffer): Promise<void> => {
    await new Promise((resolve) => to.write(chunk, resolve))
    Object.assign(channel, {
      _chunk: undefined,
      _chunkcb: undefined,
      _chunkErr: undefined,
      _chunkcbErr: undefined,
    })
  }
  return (to, chunk) => {
    turn = turn.then(() => write(to, chunk))
    return turn
  }
}

/** 127 when there is no such shell, as sshd has it. */
async function exitOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  try {
    await once(child, 'exit')
  } catch {
    return 127
  }
  return child.signalCode ?? child.exitCode ?? 127
}

import { Transform } from 'node:stream'

import { HostError } from './errors.ts'
import { MachineProcess } from './process.ts'
import { quote } from './quote.ts'
import type { Argument, ShellContext } from './shell.ts'

/** What is kept of a command's words on stderr. */
const mostWords = 4096

export interface StreamOptions {
  /** Given to the command on stdin; secrets belong here, never in the command. */
  input?: string
  /** Leave stdin open until the command has ended, for one that takes its end as the word to stop. */
  keepInputOpen?: boolean
  /** What errors show in place of the command line. */
  shown?: string
}

/** zx's template, for an answer that is too big to keep. */
export interface StreamCommand {
  (pieces: TemplateStringsArray, ...args: Argument[]): Flow
  (options: StreamOptions): (pieces: TemplateStringsArray, ...args: Argument[]) => Flow
}

/** What a command says on stdout, while it says it. */
export class Flow extends Transform {
  /** The last that it has said on stderr; whole when the stream has ended. */
  said = ''
}

/** A command that ended badly while its output was read. */
export class FlowError extends Error {
  override readonly name = 'FlowError'
  /** The last that it said on stderr. */
  readonly seen: string

  constructor(host: string, user: string, command: string, how: string, seen: string) {
    super(`this on ${host} as ${user} ${how}: ${command}`)
    this.seen = seen
  }
}

/**
 * A question whose answer is read while it comes, at the reader's pace, and kept nowhere: zx keeps all of it.
 * The stream ends when the command has ended with 0, and fails otherwise, so that a `pipeline` over it is whole or
 * fails. Destroying it ends the command.
 */
export function streaming(context: ShellContext): StreamCommand {
  function command(first: TemplateStringsArray, ...args: Argument[]): Flow
  function command(first: StreamOptions): (pieces: TemplateStringsArray, ...args: Argument[]) => Flow
  function command(first: TemplateStringsArray | StreamOptions, ...args: Argument[]) {
    if (isTemplate(first)) return start(context, {}, first, args)
    return (pieces: TemplateStringsArray, ...rest: Argument[]) => start(context, first, pieces, rest)
  }
  return command
}

function isTemplate(value: TemplateStringsArray | StreamOptions): value is TemplateStringsArray {
  return Array.isArray(value)
}

function start(
  context: ShellContext,
  { input = '', keepInputOpen, shown }: StreamOptions,
  pieces: TemplateStringsArray,
  args: readonly Argument[],
): Flow {
  const { machine, user, run } = context
  const command = commandLine(pieces, args)
  const script = `set -euo pipefail; ${command}`
  const child = new MachineProcess(
    machine.host,
    async () => machine.start(`bash -c ${quote(script)}`, await context.escalation()),
    run.signal(),
  )
  child.stdin.write(input)
  if (!keepInputOpen) child.stdin.end()
  let lost: unknown
  child.once('error', (error) => (lost = error))
  const ended = new Promise<Error | undefined>((resolve) => {
    child.once('close', (code, signal) => {
      if (lost instanceof Error) resolve(lost)
      else if (code === 0) resolve(undefined)
      else {
        const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`
        resolve(new FlowError(machine.host, user, shown ?? command, how, output.said.trim()))
      }
    })
  })
  const output = new Flow({
    transform: (chunk, _encoding, pass) => pass(null, chunk),
    flush: (pass) => void ended.then((error) => pass(error)),
    destroy: (error, done) => {
      child.end(new HostError(machine.host, 'cancelled', 'its output is not wanted any more'))
      child.stdout.resume()
      done(error)
    },
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output.said = (output.said + chunk.toString()).slice(-mostWords)
  })
  return child.stdout.pipe(output)
}

function commandLine(pieces: TemplateStringsArray, args: readonly Argument[]): string {
  return pieces.reduce((line, piece, index) => {
    const arg = args[index - 1]
    const words = Array.isArray(arg) ? arg : [arg]
    return `${line}${words.map((word) => quote(String(word))).join(' ')}${piece}`
  })
}

import { randomBytes } from 'node:crypto'

import { HostError } from './errors.ts'
import type { Escalation } from './escalation.ts'
import { MachineProcess, type Running } from './process.ts'
import { quote } from './quote.ts'
import type { Screen, Terminal } from './terminal.ts'

/** A program that somebody is to talk to. */
export interface Program {
  /** For bash; ends in `exec` of the program. */
  script: string
  /** Variables of its environment that travel on stdin, as an argument list and a file may be read by others. A line each. */
  secrets: Readonly<Record<string, string>>
  /** What kind of terminal the operator has, as $TERM names it. */
  term: string
}

/** A program that waits for the operator's terminal. */
export interface Dialogue {
  /**
   * Starts it and gives it the terminal until it has ended; gives the terminal back as it was, whatever happens.
   * @throws HostError when the connection is lost, or the run cancelled
   */
  attach(terminal: Terminal): Promise<End>
}

export interface End {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A command on a terminal of its own. */
export interface RunningOnPty extends Running {
  resize(screen: Screen): void
}

/** The beginning of a program's script: takes its secrets from {@link secretLines}. */
export function takeSecrets({ secrets }: Program): string {
  return Object.keys(secrets)
    .map((name) => `IFS= read -r ${name}; export ${name}; `)
    .join('')
}

export function secretLines({ secrets }: Program): string {
  return Object.values(secrets)
    .map((secret) => `${secret}\n`)
    .join('')
}

/**
 * Opens a program on a machine, up to where it waits for the operator. Its terminal there echoes nothing until then,
 * so that sudo's password and the secrets can go the way that all input goes.
 *
 * @param start begins a shell line on a terminal without echo
 */
export async function openDialogue(
  host: string,
  program: Program,
  { prefix, password }: Escalation,
  start: (line: string) => Promise<RunningOnPty>,
  signal: AbortSignal,
): Promise<Dialogue> {
  const [asks, ready] = [mark('password'), mark('ready')]
  // Without Ctrl-Z, which would stop the program where no shell lets it go on.
  const script = `printf %s ${ready}; ${takeSecrets(program)}read -r; stty echo susp undef; ${program.script}`
  const line = `${prefix.replace("-p ''", `-p ${asks}`)} bash -c ${quote(script)}`
  let running: RunningOnPty | undefined
  const child = new MachineProcess(host, async () => (running = await start(line)), signal)
  const ended = endOf(child)
  child.stderr.resume()
  await new Promise<void>((resolve, reject) => {
    let said = ''
    let waitsForSudo = password !== undefined
    const listen = (chunk: Buffer): void => {
      said += chunk.toString()
      // Not before it asks: it may throw away what was typed until then.
      if (waitsForSudo && said.includes(asks)) {
        waitsForSudo = false
        child.stdin.write(`${password}\n`)
      }
      if (!said.includes(ready)) return
      child.stdout.off('data', listen).pause()
      resolve()
    }
    child.stdout.on('data', listen)
    child.once('error', reject)
    child.once('close', (code) => {
      const why = said.replace(asks, '').trim().split('\n').at(-1)
      reject(new HostError(host, 'shell', `the program was not reached (exit code ${code}): ${why}`))
    })
  })
  return {
    attach: async ({ input, output }) => {
      const resize = (): void => running?.resize(output)
      // A window that was closed takes the terminal away; a signal tells of it as well.
      input.on('error', () => {})
      output.on('resize', resize)
      input.setRawMode(true)
      try {
        resize()
        child.stdin.write(`${secretLines(program)}\n`)
        input.pipe(child.stdin)
        child.stdout.pipe(output, { end: false })
        return await ended
      } finally {
        output.off('resize', resize)
        input.unpipe(child.stdin)
        input.pause()
        input.setRawMode(false)
      }
    },
  }
}

function mark(what: string): string {
  return `${what}-${randomBytes(8).toString('hex')}`
}

function endOf(child: MachineProcess): Promise<End> {
  const ended = new Promise<End>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code: number | null, signal: NodeJS.Signals | null) => resolve({ code, signal }))
  })
  // It may fail while nobody waits for it.
  ended.catch(() => {})
  return ended
}

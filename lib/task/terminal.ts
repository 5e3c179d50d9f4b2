import type { Terminal } from '../host/terminal.ts'
import { allowsColours, type Environment } from './output.ts'

/** What Windows, which has no $TERM, can do as well. */
const usual = 'xterm-256color'

/** Ends what a program has switched on that did not come to its end: bracketed paste, colours, its line. */
const afterwards = '\u001b[?2004l\u001b[0m\n'

/** The operator's terminal, if there is one: a program needs both its keys and its screen. */
export function operatorTerminal(): Terminal | undefined {
  const { stdin, stdout } = process
  return stdin.isTTY && stdout.isTTY ? { input: stdin, output: stdout } : undefined
}

/** What a program on that terminal is to know of it. */
export function terminalKind(env: Environment = process.env): { term: string; colours: boolean } {
  return { term: env['TERM'] ?? usual, colours: allowsColours(env) }
}

/** Lets a program have the terminal. */
export async function lend<T>(terminal: Terminal, use: (terminal: Terminal) => Promise<T>): Promise<T> {
  try {
    return await use(terminal)
  } catch (error) {
    terminal.output.write(afterwards)
    throw error
  }
}

/** Why a task that takes the terminal cannot run. */
export function terminalProblems(task: string, { json }: { json: boolean }, terminal: unknown): string[] {
  if (json) return [`${task} gives the terminal to a program, of which there is no JSON: leave out --json`]
  if (terminal !== undefined) return []
  return [`${task} gives the terminal to a program, and stdin and stdout are not both one`]
}

import { createInterface } from 'node:readline'

import { fastForm } from '../../../lib/schedule/checkout.ts'
import type { Lab } from '../lab.ts'

/** One finished run of a task, as its caller saw it. */
export interface Outcome {
  code: number | null
  events: TaskLine[]
  stderr: string
  /** Message, what was seen and the next command, as one text. */
  error: string
  /** Milliseconds. */
  ms: number
}

/** A line of `--json`; the fields that the tests look at. */
export interface TaskLine {
  event: string
  state?: string
  title?: string
  detail?: string
  text?: string
  warning?: boolean
  message?: string
  seen?: string
  next?: string
  host?: string
  user?: string
  command?: string
  input?: string
  data?: unknown
  /** Milliseconds. */
  ms?: number
  changed?: number
}

export type Watch = (line: TaskLine, kill: (signal: NodeJS.Signals) => void) => void

export interface RunOptions {
  /** Added to the operator's environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>
  /** What is run by tsx, when it is not the task's own file. */
  file?: string
  /** Called for each event while the run goes on, with a way to send it a signal. */
  on?: Watch | undefined
}

/** Runs a task on the operator's workstation with `--json`, without a terminal, to its end. */
export async function runTask(
  lab: Lab,
  name: string,
  flags: readonly string[],
  { env, file, on }: RunOptions = {},
): Promise<Outcome> {
  const start = performance.now()
  const command = file === undefined ? [fastForm, `tasks/${name}.ts`] : ['--import', 'tsx', file]
  const child = lab.controller('node', [...command, '--json', ...flags], {
    reject: false,
    stdin: 'ignore',
    buffer: { stdout: false },
    ...(env ? { env } : {}),
  })
  const events: TaskLine[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (text) => {
    const line: TaskLine = JSON.parse(text)
    events.push(line)
    on?.(line, (signal) => child.kill(signal))
  })
  const closed = new Promise<void>((resolve) => lines.once('close', () => resolve()))
  const result = await child
  await closed
  const error = events
    .filter(({ event }) => event === 'error')
    .map(({ message, seen, next }) => [message, seen, next].filter((part) => part !== undefined).join('\n'))
    .join('\n')
  return {
    code: result.exitCode ?? null,
    events,
    stderr: result.stderr,
    error,
    ms: performance.now() - start,
  }
}

/** What the operator is shown beside the steps: notes, and warnings among them. */
export function notes({ events }: Outcome): string {
  return events
    .flatMap(({ event, text }) => (event === 'note' && text !== undefined ? [text] : []))
    .join('\n')
}

/** How many acts the run has done. */
export function changes({ events }: Outcome): number | undefined {
  return events.find(({ event }) => event === 'end')?.changed
}

/** Whether this is the beginning of a step. */
export function begins(step: string, { event, state, title }: TaskLine): boolean {
  return event === 'step' && state === 'started' && title?.startsWith(step) === true
}

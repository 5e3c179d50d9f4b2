import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import type * as z from 'zod'

import type { Estate } from '../inventory/estate.ts'
import type { SecretRef } from '../inventory/secrets.ts'
import { wantsHelp } from './common-flags.ts'
import { helpText } from './help.ts'
import type { Session } from './session.ts'

/** A machine that a task needs, and as whom. */
export interface Reach {
  host: string
  /** Default: the login user. */
  as?: string
}

/** What can be found out before the first question and the first change. */
export interface Preflight {
  /** Why this cannot be done, each with what to do about it. */
  problems: string[]
  /** The secrets that will be needed. */
  secrets: SecretRef[]
  /** Of each group at least one machine must be there; the others are told as a warning. */
  reach: Reach[][]
}

export interface Task<S extends z.ZodObject = z.ZodObject> {
  /** As its file is called: `pg-reset`. */
  name: string
  summary: string
  /** What it changes, whether it is safe to run again; shown by `--help`. */
  details: string
  /** Command lines that work. */
  examples: string[]
  flags: S
  /** Hands the terminal to a program on a machine: not without one, and not with `--json`. */
  takesTerminal?: true
  preflight(input: { estate: Estate; flags: z.output<S> }): Preflight
  /** What happens, in order. Throws a TaskError when it cannot go on. */
  run(session: Session<z.output<S>>): Promise<void>
}

export function defineTask<S extends z.ZodObject>(task: Task<S>): Task<S> {
  return task
}

/** Runs a task when its file is the one that was started; a file that is imported does nothing. */
export async function runIfMain<S extends z.ZodObject>(meta: ImportMeta, task: Task<S>): Promise<void> {
  const started = process.argv[1]
  if (started === undefined || realpathSync(started) !== realpathSync(fileURLToPath(meta.url))) return
  const argv = process.argv.slice(2)
  if (wantsHelp(argv)) {
    process.stdout.write(helpText(task))
    return
  }
  // Not before it is needed: help should come at once.
  const { liveTask } = await import('./life.ts')
  process.exitCode = await liveTask(task, argv)
}

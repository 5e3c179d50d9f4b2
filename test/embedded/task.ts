import { fileURLToPath } from 'node:url'

import { execa, type Subprocess } from 'execa'
import * as z from 'zod'

/** What the tests look at in the events of `--json`. */
const TaskEvent = z.object({
  event: z.string(),
  state: z.string().optional(),
  title: z.string().optional(),
  detail: z.string().optional(),
  text: z.string().optional(),
  message: z.string().optional(),
  seen: z.string().optional(),
  next: z.string().optional(),
  command: z.string().optional(),
  input: z.string().optional(),
  outcome: z.string().optional(),
  changed: z.number().optional(),
  data: z.unknown().optional(),
})
export type TaskEvent = z.infer<typeof TaskEvent>

export interface TaskRun {
  code: number | undefined
  signal: string | undefined
  events: TaskEvent[]
  /** The event `error`, if there was one. */
  error: TaskEvent | undefined
  /** All that it printed. */
  text: string
  /** Milliseconds. */
  ms: number
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Everything that any run has printed, to be searched for secrets. */
export const allOutput: string[] = []

/** {@link runTask} with pg-reset. */
export function runReset(
  env: NodeJS.ProcessEnv,
  args: string[],
  watch?: (event: TaskEvent, child: Subprocess) => void,
): Promise<TaskRun> {
  return runTask('pg-reset', env, args, watch)
}

/**
 * Runs a task as a process of its own, without a terminal, with `--json`.
 * @param watch sees each event when it happens, and may do something to the process
 */
export async function runTask(
  task: string,
  env: NodeJS.ProcessEnv,
  args: string[],
  watch: (event: TaskEvent, child: Subprocess) => void = () => {},
): Promise<TaskRun> {
  const start = performance.now()
  const events: TaskEvent[] = []
  const command = ['--import', 'tsx', `tasks/${task}.ts`, '--json', ...args]
  const child = execa(process.execPath, command, {
    cwd: root,
    env,
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    all: true,
  })
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const event = TaskEvent.parse(JSON.parse(line))
      events.push(event)
      watch(event, child)
    }
  })
  const { exitCode, signal, all } = await child
  allOutput.push(all)
  const error = events.find(({ event }) => event === 'error')
  return { code: exitCode, signal, events, error, text: all, ms: performance.now() - start }
}

import { PassThrough } from 'node:stream'

import type * as z from 'zod'

import type { Change } from '../../../lib/host/events.ts'
import { Hosts } from '../../../lib/host/hosts.ts'
import type { Terminal } from '../../../lib/host/terminal.ts'
import type { Estate } from '../../../lib/inventory/estate.ts'
import { Cancellation } from '../../../lib/task/cancellation.ts'
import { TaskError } from '../../../lib/task/errors.ts'
import type { TaskEventBody } from '../../../lib/task/events.ts'
import { explain } from '../../../lib/task/explain.ts'
import { preflight } from '../../../lib/task/preflight.ts'
import { Session } from '../../../lib/task/session.ts'
import type { Task } from '../../../lib/task/task.ts'
import { RecordedRun, type Script, ScriptedMachine } from '../doubles.ts'

export interface Played {
  error: TaskError | undefined
  events: TaskEventBody[]
  changes: Change[]
  /** All that the operator was told beside the steps, facts among it. */
  told: string
}

/** Nobody types on it. */
function terminal(): Terminal {
  return {
    input: Object.assign(new PassThrough(), { setRawMode: () => {} }),
    output: Object.assign(new PassThrough(), { columns: 80, rows: 24 }),
  }
}

/**
 * Runs a task on scripted machines, with `--yes` and with a terminal only for a task that hands it over.
 * @param script what each machine does with its commands
 */
export async function play<S extends z.ZodObject>(
  task: Task<S>,
  estate: Estate,
  flags: z.input<S>,
  script: (name: string) => Script,
  dryRun = false,
): Promise<Played> {
  const run = new RecordedRun({ dryRun })
  const events: TaskEventBody[] = []
  const given = task.flags.parse(flags)
  const session = new Session({
    estate,
    flags: given,
    hosts: new Hosts(estate, run, async (name) => new ScriptedMachine(name, script(name))),
    run,
    holder: { who: 'anna@desk', task: task.name, since: '2026-11-21T02:13:11.000Z' },
    inventory: undefined,
    yes: true,
    emit: (event) => void events.push(event),
    ask: undefined,
    handOver: (use) => use(terminal()),
    cancellation: new Cancellation(),
  })
  const end = (error?: TaskError): Played => ({
    error,
    events,
    changes: run.changes,
    told: events
      .flatMap((event) => (event.event === 'note' || event.event === 'data' ? [event.text] : []))
      .join('\n'),
  })
  try {
    await preflight(session, task.preflight({ estate, flags: given }))
    await task.run(session)
    return end()
  } catch (thrown) {
    const error = await explain(thrown)
    if (error instanceof TaskError) return end(error)
    throw error
  } finally {
    await session.releaseLocks()
  }
}

import type { TaskEvent } from './events.ts'
import type { Output, Reporter } from './output.ts'
import { harmlessJson } from './text.ts'

/** For programs: one event a line, all on stdout, errors too. The schema is docs/json-events.md. */
export function jsonLinesReporter(output: Output): Reporter {
  return {
    event: (happened) => {
      output.stdout.write(`${harmlessJson(lineOf(happened))}\n`)
    },
    ask: (prompt) => prompt(),
    end: () => Promise.resolve(),
  }
}

function lineOf(happened: TaskEvent): object {
  const { time, task, event, ...rest } = happened
  if (happened.event !== 'data') return { time, task, event, ...rest }
  const { name, data } = happened
  return { time, task, event, name, data }
}

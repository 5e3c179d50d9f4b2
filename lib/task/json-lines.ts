import type { Output, Reporter } from './output.ts'
import { harmlessJson } from './text.ts'

/** For programs: one event a line, all on stdout, errors too. The schema is docs/json-events.md. */
export function jsonLinesReporter(output: Output): Reporter {
  return {
    event: ({ time, task, event, ...rest }) => {
      output.stdout.write(`${harmlessJson({ time, task, event, ...rest })}\n`)
    },
    ask: (prompt) => prompt(),
    end: () => Promise.resolve(),
  }
}

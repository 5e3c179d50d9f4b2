import type { ChangeEvent, TaskEvent } from './events.ts'
import { changeLines, errorLines, noteLines, startLine, stepLine } from './lines.ts'
import { painter } from './output.ts'
import type { Environment, Output, Reporter, Stream, Style } from './output.ts'
import { Tally } from './tally.ts'
import { linesOf } from './text.ts'

export type PlainOptions = {
  /** Nothing on stdout; warnings and errors on stderr. */
  quiet?: boolean | undefined
  /** Also the changes that were made, and those that were not needed. */
  verbose?: boolean | undefined
  env?: Environment | undefined
}

type Label = { word: string; style?: Style }

const run: Label = { word: 'run' }
const note: Label = { word: 'note' }
const warning: Label = { word: 'warn', style: 'yellow' }
const error: Label = { word: 'error', style: 'red' }
const end: Label = { word: 'end' }
const steps = {
  started: { word: 'start' },
  done: { word: 'done', style: 'green' },
  failed: { word: 'failed', style: 'red' },
  skipped: { word: 'skip' },
} as const satisfies Record<string, Label>
const changes = {
  would: { word: 'would', style: 'cyan' },
  done: { word: 'change' },
  failed: { word: 'failed', style: 'red' },
  unchanged: { word: 'same' },
} as const satisfies Record<ChangeEvent['state'], Label>

const widest = 6

/** Lines with time stamps, for cron, CI and pipes: each is printed when it happens and never changed. */
export function plainReporter(output: Output, options: PlainOptions = {}): Reporter {
  const tally = new Tally()
  const loud = stamped(output.stderr, options.env)
  const say = options.quiet === true ? () => {} : stamped(output.stdout, options.env)

  function event(happened: TaskEvent): void {
    tally.see(happened)
    const { time } = happened
    switch (happened.event) {
      case 'start':
        return say(time, run, [startLine(happened.task, happened)])
      case 'step':
        return say(time, steps[happened.state], [stepLine(happened)])
      case 'progress':
        return
      case 'change':
        // A done change is one line of many in a long run; a failed one is why the run stops.
        if (happened.state !== 'would' && happened.state !== 'failed' && options.verbose !== true) return
        return say(time, changes[happened.state], changeLines(happened))
      case 'note':
        return happened.warning === true
          ? loud(time, warning, noteLines(happened))
          : say(time, note, noteLines(happened))
      case 'data':
        return say(time, note, linesOf(happened.text))
      case 'error':
        return loud(time, error, errorLines(happened))
      case 'end':
        return (happened.outcome === 'done' ? say : loud)(time, end, [tally.summary(happened.task, happened)])
    }
  }

  return { event, ask: (prompt) => prompt(), end: () => Promise.resolve() }
}

function stamped(stream: Stream, env: Environment | undefined) {
  const paint = painter(stream, env)
  return (time: string, label: Label, lines: readonly string[]): void => {
    const word = label.word.padEnd(widest)
    const [first, ...rest] = lines
    const head = `${paint('dim', time)} ${label.style === undefined ? word : paint(label.style, word)} ${first}`
    // One write a report: a second process on the same log file cannot get between its lines.
    stream.write(`${[head, ...rest.map((line) => `  ${line}`)].join('\n')}\n`)
  }
}

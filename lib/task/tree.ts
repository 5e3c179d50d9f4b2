import type { ChangeEvent, StepEvent, TaskEvent } from './events.ts'
import { changeLines, errorLines, noteLines, startLine, stepLine } from './lines.ts'
import type { Live, LiveStep } from './live.ts'
import { painter } from './output.ts'
import type { Environment, Output, Reporter, Style } from './output.ts'
import { Tally } from './tally.ts'
import { linesOf, oneLine } from './text.ts'

export type TreeOptions = {
  /** Also the changes that were made, and those that were not needed. */
  verbose?: boolean | undefined
  env?: Environment | undefined
}

/** `lines`: what stays under its title once it has ended. */
type OpenStep = LiveStep & { lines: string[] }

const changeWords = {
  would: ['would', 'cyan'],
  done: ['changed', 'green'],
  failed: ['failed', 'red'],
  unchanged: ['same', 'dim'],
} as const satisfies Record<ChangeEvent['state'], readonly [string, Style]>

/**
 * For a terminal: steps that run are drawn live; those that ended stand above for good, each with what it said.
 * Events are dealt with one after the other, in their order, as drawing is asynchronous and reporting is not.
 */
export function treeReporter(output: Output<NodeJS.WriteStream>, options: TreeOptions = {}): Reporter {
  const tally = new Tally()
  const paint = painter(output.stdout, options.env)
  const paintError = painter(output.stderr, options.env)
  const open: OpenStep[] = []
  let live: Live | undefined
  let queue: Promise<unknown> = Promise.resolve()

  async function show(): Promise<void> {
    if (open.length === 0) return
    const { startLive } = await import('./live.ts')
    live = startLive(open, output, paint)
  }

  async function hide(): Promise<void> {
    await live?.vanish()
    live = undefined
  }

  function print(lines: readonly string[]): void {
    if (lines.length > 0) output.stdout.write(`${lines.join('\n')}\n`)
  }

  /** Lines belong to the innermost step that runs, and stand under its title once that is final. */
  function say(lines: readonly string[]): void {
    const step = open.at(-1)
    if (step === undefined) return print(lines)
    step.lines.push(...lines)
    step.fresh.push(...lines)
    live?.refresh()
  }

  /** Before a prompt, and when a run breaks off: what the running steps said must not wait for their end. */
  function printUnfinished(): void {
    for (const [depth, step] of open.entries()) {
      if (step.lines.length > 0) print(indented(depth, [`… ${step.title}`, ...under(step.lines)]))
      step.lines = []
    }
  }

  async function turn(happened: StepEvent): Promise<void> {
    await hide()
    if (happened.state === 'started') {
      open.push({ title: oneLine(happened.title), since: Date.now(), fresh: [], lines: [] })
    } else {
      // A step may be skipped without having been started.
      const ended =
        happened.state === 'skipped' && open.at(-1)?.title !== oneLine(happened.title)
          ? undefined
          : open.pop()
      const { figures } = await import('./live.ts')
      const mark = {
        done: paint('green', figures.tick),
        failed: paint('red', figures.cross),
        skipped: paint('yellow', figures.arrowDown),
      }[happened.state]
      print(indented(open.length, [`${mark} ${stepLine(happened)}`, ...under(ended?.lines ?? [])]))
    }
    await show()
  }

  async function handle(happened: TaskEvent): Promise<void> {
    tally.see(happened)
    switch (happened.event) {
      case 'start':
        return print([paint('bold', startLine(happened.task, happened))])
      case 'step':
        return turn(happened)
      case 'progress':
        open.at(-1)?.fresh.push(oneLine(happened.detail))
        return live?.refresh()
      case 'change': {
        if (happened.state !== 'would' && happened.state !== 'failed' && options.verbose !== true) return
        const [word, style] = changeWords[happened.state]
        const [first, ...rest] = changeLines(happened)
        return say([`${paint(style, word)} ${first}`, ...rest.map((line) => `  ${line}`)])
      }
      case 'note':
        if (happened.warning !== true) return say(noteLines(happened))
        return complain(`${paintError('yellow', 'warning:')} `, noteLines(happened))
      case 'data':
        return say(linesOf(happened.text))
      case 'error':
        return complain(`${paintError('red', 'error:')} `, errorLines(happened))
      case 'end': {
        await hide()
        const [stream, brush, colour] =
          happened.outcome === 'done'
            ? ([output.stdout, paint, 'green'] as const)
            : ([output.stderr, paintError, 'red'] as const)
        stream.write(`${brush(colour, tally.summary(happened.task, happened))}\n`)
        return
      }
    }
  }

  async function complain(label: string, [first, ...rest]: readonly string[]): Promise<void> {
    await hide()
    output.stderr.write(`${[`${label}${first}`, ...under(rest)].join('\n')}\n`)
    await show()
  }

  return {
    event: (happened) => {
      queue = queue.then(() => handle(happened))
    },
    ask: (prompt) => {
      const asked = queue.then(async () => {
        await hide()
        printUnfinished()
        return prompt()
      })
      queue = asked.then(show, show)
      return asked
    },
    end: async () => {
      await queue
      await hide()
      printUnfinished()
    },
  }
}

function under(lines: readonly string[]): string[] {
  return indented(1, lines)
}

function indented(depth: number, lines: readonly string[]): string[] {
  return lines.map((line) => `${'  '.repeat(depth)}${line}`)
}

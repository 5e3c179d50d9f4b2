import { once } from 'node:events'

import {
  DefaultRenderer,
  figures,
  Listr,
  ListrDefaultRendererLogLevels,
  ListrLogger,
  ProcessOutput,
  Spinner,
} from 'listr2'
import type { ListrTask } from 'listr2'

import type { Output, Paint } from './output.ts'
import { duration } from './text.ts'

export { figures }

/** A step that runs. */
export type LiveStep = {
  title: string
  /** Milliseconds since 1970. */
  since: number
  /** To be shown since it was drawn the last time; emptied by drawing. */
  fresh: string[]
}

/** The part of the screen that is drawn again and again. */
export type Live = {
  /** Shows what the steps have said since. */
  refresh(): void
  /** Takes it off the screen and gives the streams back. */
  vanish(): Promise<void>
}

/** How much of what a step says is shown while it runs. */
const shownLines = 3
/** Milliseconds after which a step gets a clock, and between its ticks. */
const slow = 2000
const tick = 1000

/**
 * Draws the running steps with listr2, each under the one it is part of. What has ended is not drawn
 * here but printed once, above: listr2 cuts a list off at the height of the terminal, and cannot step
 * aside for a prompt.
 */
export function startLive(
  steps: readonly LiveStep[],
  output: Output<NodeJS.WriteStream>,
  paint: Paint,
): Live {
  let gone = false
  const settled = new AbortController()
  const refreshers: (() => void)[] = []

  /** Draws nothing once the steps are settled: a tick would be shown for a moment, whatever the outcome. */
  class LiveRenderer extends DefaultRenderer {
    /** Whether it is a terminal was decided before, by the stream that is written to. */
    static override nonTTY = true

    override update(): void {
      if (!gone) super.update()
    }
  }

  function taskFor([step, ...inner]: readonly LiveStep[]): ListrTask<unknown, typeof LiveRenderer>[] {
    if (step === undefined) return []
    return [
      {
        title: titleOf(step, paint),
        rendererOptions: { outputBar: shownLines },
        task: (_, task) => {
          const refresh = () => {
            task.title = titleOf(step, paint)
            for (const line of step.fresh.splice(0).slice(-shownLines)) task.output = line
          }
          refreshers.push(refresh)
          refresh()
          if (inner.length > 0) return task.newListr(taskFor(inner))
          return settled.signal.aborted ? undefined : once(settled.signal, 'abort')
        },
      },
    ]
  }

  // listr2 holds back what others print meanwhile, and hides the cursor.
  const screen = new ProcessOutput(output.stdout, output.stderr, { leaveEmptyLine: false })
  const release = () => screen.release()
  process.once('exit', release)

  const list = new Listr<unknown, typeof LiveRenderer>(taskFor(steps), {
    renderer: LiveRenderer,
    rendererOptions: {
      clearOutput: true,
      formatOutput: 'truncate',
      spinner: new IdleSpinner(),
      logger: new ListrLogger<ListrDefaultRendererLogLevels>({ processOutput: screen }),
      color: {
        [ListrDefaultRendererLogLevels.PENDING]: (text) => paint('yellow', String(text)),
        [ListrDefaultRendererLogLevels.WAITING]: (text) => paint('dim', String(text)),
      },
    },
    // Its own handler of Ctrl-C ends the process, whatever is half done on the machines.
    registerSignalListeners: false,
  })
  // Whatever goes wrong with drawing, nothing is lost: each step is printed when it has ended.
  const finished = list.run().catch(release)
  const refresh = () => refreshers.forEach((each) => each())
  const clock = setInterval(refresh, tick).unref()

  return {
    refresh,
    vanish: async () => {
      gone = true
      clearInterval(clock)
      settled.abort()
      await finished
      process.off('exit', release)
    },
  }
}

/** Does not keep the process alive: a run that waits for nothing but its spinner has to end. */
class IdleSpinner extends Spinner {
  #timer: NodeJS.Timeout | undefined

  override start(draw: () => void = () => {}, interval = 100): void {
    this.#timer = setInterval(() => {
      this.spin()
      draw()
    }, interval).unref()
  }

  override isRunning(): boolean {
    return this.#timer !== undefined
  }

  override stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function titleOf(step: LiveStep, paint: Paint): string {
  const ms = Date.now() - step.since
  return ms < slow ? step.title : `${step.title} ${paint('dim', `(${duration(ms)})`)}`
}

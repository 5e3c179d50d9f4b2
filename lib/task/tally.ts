import type { EndEvent, TaskEvent } from './events.ts'
import { duration, oneLine } from './text.ts'

const words = {
  done: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
  locked: 'locked by someone else, stopped',
  usage: 'wrong usage, stopped',
  unreachable: 'machine unreachable, stopped',
} as const satisfies Record<EndEvent['outcome'], string>

/** Keeps what the last line of a run needs and its `end` event does not carry. */
export class Tally {
  #dryRun = false
  #would = 0
  #failedChanges = 0
  #failedStep: string | undefined

  see(event: TaskEvent): void {
    if (event.event === 'start') this.#dryRun = event.dryRun
    if (event.event === 'change' && event.state === 'would') this.#would += 1
    if (event.event === 'change' && event.state === 'failed') this.#failedChanges += 1
    // The first one: a step that fails afterwards, while cleaning up, is not the reason.
    if (event.event === 'step' && event.state === 'failed') this.#failedStep ??= event.title
  }

  /** `pg-reset: done in 41.2 s, 7 changed, 2 unchanged` */
  summary(task: string, end: EndEvent): string {
    const well = end.outcome === 'done'
    const where = well || this.#failedStep === undefined ? '' : ` at "${oneLine(this.#failedStep)}"`
    const how = this.#dryRun ? `dry run ${words[end.outcome]}` : words[end.outcome]
    return `${task}: ${how}${where} ${well ? 'in' : 'after'} ${duration(end.ms)}, ${this.#counts(end)}`
  }

  #counts(end: EndEvent): string {
    if (this.#dryRun) return `${this.#would} would change, ${end.unchanged} unchanged`
    if (end.outcome !== 'done' && end.changed === 0) {
      // What failed half-way may have changed something.
      return this.#failedChanges === 0 ? 'nothing was changed' : `0 changed, ${this.#failedChanges} failed`
    }
    return `${end.changed} changed, ${end.unchanged} unchanged`
  }
}

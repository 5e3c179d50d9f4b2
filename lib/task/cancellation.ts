import { setMaxListeners } from 'node:events'

/** Why and whether a run is to stop before its end. */
export class Cancellation {
  #controller = newController()
  #reason: Error | undefined
  #shielded = false

  /** Ends the commands that run. Changes when the run is shielded, so ask anew for each command. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Why it was cancelled, if it was. */
  get reason(): Error | undefined {
    return this.#reason
  }

  cancel(reason: Error): void {
    this.#reason ??= reason
    if (!this.#shielded) this.#controller.abort(reason)
  }

  /** From now on commands run to their end. */
  shield(): void {
    this.#shielded = true
    this.#controller = newController()
  }

  /** @throws the reason */
  check(): void {
    if (this.#reason && !this.#shielded) throw this.#reason
  }
}

/** Every command that runs listens to it, and there may be many: no sign of a leak, as node would warn. */
function newController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}

/** One act on a machine, as the task's reporter, summary and journal hear of it. */
export interface Change {
  state: 'would' | 'done' | 'failed' | 'unchanged'
  host: string
  user: string
  command: string
  /** Text given on stdin, or how many bytes it was. Not redacted yet. */
  input?: string
}

/** What all reaching of machines in one run shares. */
export interface Run {
  dryRun: boolean
  /** Ends commands; a later call may give another signal, so that cleaning up outlives a Ctrl-C. */
  signal(): AbortSignal
  onChange(change: Change): void
  /** Called when the run is over: whatever is still open is to be closed then. */
  atEnd(close: () => Promise<void>): void
  /** Asks the operator for a secret; undefined without a terminal. */
  askSecret(label: string): Promise<string | undefined>
  /** Told every secret that is about to travel. */
  onSecret(secret: string): void
}

/** What went wrong on the way to a machine or on it; decides the exit code of a task. */
export type HostFailure =
  | 'address' // nothing to connect to: no address in the inventory, a name that does not resolve
  | 'unreachable' // no answer, port closed, no route
  | 'unknown-key'
  | 'changed-key'
  | 'refused' // sshd answered, and did not let us in
  | 'lost' // was connected; the connection is gone
  | 'timeout' // the command took longer than it was allowed to
  | 'cancelled'
  | 'sudo'
  | 'shell' // no bash
  | 'forward' // the machine could not open the TCP connection it was asked for

/** A failure of reaching a machine, as opposed to a command that ran there and failed. */
export class HostError extends Error {
  override readonly name = 'HostError'
  readonly host: string
  readonly failure: HostFailure
  /** The next command or step for the operator. */
  readonly next: string | undefined

  constructor(host: string, failure: HostFailure, message: string, next?: string, cause?: unknown) {
    super(`${host}: ${message}`, cause === undefined ? undefined : { cause })
    this.host = host
    this.failure = failure
    this.next = next
  }
}

/** The error of a kind that stands behind what was thrown: zx wraps ours in its own. */
export function errorBehind<Kind extends Error>(
  error: unknown,
  kind: new (...args: never[]) => Kind,
): Kind | undefined {
  const seen = new Set<unknown>()
  for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
    if (at instanceof kind) return at
    seen.add(at)
  }
  return undefined
}

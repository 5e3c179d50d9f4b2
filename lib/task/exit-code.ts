/**
 * How a run ends, as the number its caller sees. 75 is EX_TEMPFAIL of sysexits.h: try again later;
 * 130 is what a shell reports for a program that Ctrl-C ended.
 */
export const exitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  locked: 75,
  cancelled: 130,
} as const

export type Outcome = keyof typeof exitCode
export type ExitCode = (typeof exitCode)[Outcome]

/** For `--help`. */
export const exitCodeMeanings: readonly (readonly [ExitCode, string])[] = [
  [exitCode.done, 'done'],
  [exitCode.failed, 'failed'],
  [exitCode.usage, 'wrong usage or inventory'],
  [exitCode.unreachable, 'machine unreachable'],
  [exitCode.locked, 'locked by someone else'],
  [exitCode.cancelled, 'cancelled by Ctrl-C'],
]

export function outcomeOf(code: ExitCode): Outcome {
  switch (code) {
    case exitCode.done:
      return 'done'
    case exitCode.failed:
      return 'failed'
    case exitCode.usage:
      return 'usage'
    case exitCode.unreachable:
      return 'unreachable'
    case exitCode.locked:
      return 'locked'
    case exitCode.cancelled:
      return 'cancelled'
  }
}

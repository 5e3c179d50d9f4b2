import { exitCode } from './exit-code.ts'
import type { ExitCode } from './exit-code.ts'

export type TaskErrorDetails = {
  /** What the machine answered: the last lines of its output, the fact that was found. */
  seen?: string | undefined
  /** The command to run next. */
  next?: string | undefined
  code?: ExitCode | undefined
  cause?: unknown
}

/** An end that was foreseen: printed without a stack. Whatever else is thrown is a bug and keeps its stack. */
export class TaskError extends Error {
  override readonly name = 'TaskError'
  readonly seen: string | undefined
  readonly next: string | undefined
  readonly code: ExitCode

  constructor(message: string, details: TaskErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.seen = details.seen
    this.next = details.next
    this.code = details.code ?? exitCode.failed
  }
}

/** Several problems found together, as one error: nobody should have to run a task once for each of them. */
export function fromProblems(problems: readonly string[], details: TaskErrorDetails = {}): TaskError {
  const message =
    problems.length === 1
      ? String(problems[0])
      : [`${problems.length} problems:`, ...problems.map((problem) => `- ${problem}`)].join('\n')
  return new TaskError(message, { code: exitCode.usage, ...details })
}

/** What the `error` event says of anything that was thrown. */
export function describeError(thrown: unknown): {
  message: string
  seen?: string
  next?: string
  code: ExitCode
} {
  if (thrown instanceof TaskError) {
    return {
      message: thrown.message,
      ...(thrown.seen === undefined ? {} : { seen: thrown.seen }),
      ...(thrown.next === undefined ? {} : { next: thrown.next }),
      code: thrown.code,
    }
  }
  if (thrown instanceof Error) {
    return {
      message: `a bug in hausmeister: ${thrown.message || thrown.name}`,
      ...(thrown.stack === undefined ? {} : { seen: thrown.stack }),
      code: exitCode.failed,
    }
  }
  return {
    message: `a bug in hausmeister: ${String(thrown)} was thrown, which is no error`,
    code: exitCode.failed,
  }
}

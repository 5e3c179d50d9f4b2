import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import { explain } from '../task/explain.ts'

/** What could not be backed up, or verified, and why. */
export interface Failure {
  name: string
  error: unknown
}

/**
 * One error for all that failed; its code is theirs when they agree. A bug alone stays what it is.
 * @param what did not happen to them: `backed up`, `verified`
 */
export async function failuresError(
  failures: readonly Failure[],
  all: number,
  what: string,
): Promise<unknown> {
  const explained = await Promise.all(
    failures.map(async ({ name, error }) => ({ name, error: await explain(error) })),
  )
  const [first, ...others] = explained
  if (first && others.length === 0 && !(first.error instanceof TaskError)) return first.error
  const codes = new Set(
    explained.map(({ error }) => (error instanceof TaskError ? error.code : exitCode.failed)),
  )
  const [code] = codes
  const lines = explained.map(({ name, error }) => `${name}: ${messageOf(error)}`)
  const seen = explained.flatMap(({ name, error }) => {
    const text = error instanceof TaskError ? error.seen : error instanceof Error ? error.stack : undefined
    return text ? [others.length === 0 ? text : `${name}: ${text}`] : []
  })
  const next = explained.flatMap(({ error }) =>
    error instanceof TaskError && error.next !== undefined ? [error.next] : [],
  )
  return new TaskError(
    `${failures.length} of ${all} not ${what}:\n${lines.map((line) => `- ${line}`).join('\n')}`,
    {
      seen: seen.length === 0 ? undefined : seen.join('\n'),
      next: next.length === 0 ? undefined : [...new Set(next)].join('\n'),
      code: codes.size === 1 ? code : exitCode.failed,
      cause: first?.error,
    },
  )
}

function messageOf(error: unknown): string {
  if (error instanceof TaskError) return error.message
  return `a bug in hausmeister: ${error instanceof Error ? error.message : String(error)}`
}

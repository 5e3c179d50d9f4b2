import { errorBehind, HostError } from '../host/errors.ts'
import { EstateError } from '../inventory/errors.ts'
import { fromProblems, TaskError } from './errors.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { explain } from './explain.ts'
import type { Session } from './session.ts'
import type { Preflight, Reach } from './task.ts'

interface Finding {
  text: string
  next: string | undefined
  code: ExitCode
}

/**
 * All cheap checks, before the first question and the first change, and told all together: nobody
 * should have to run a task once for each thing that is missing.
 */
export async function preflight(
  session: Session<unknown>,
  { problems, secrets, reach }: Preflight,
): Promise<void> {
  const { estate } = session
  const missing = estate.missingSecrets(secrets)
  const findings: Finding[] = problems.map((text) => ({ text, next: undefined, code: exitCode.usage }))
  if (missing.length > 0) {
    const text = `not set in ${estate.secretsFile} or the environment: ${missing.join(', ')}`
    findings.push({ text, next: undefined, code: exitCode.usage })
  }
  findings.push(...(await Promise.all(reach.map((group) => reachGroup(session, group)))).flat())
  if (findings.length === 0) return
  const texts = findings.map(({ text, next }) => (next ? `${text}\n  next: ${next}` : text))
  // A wrong inventory makes everything behind it doubtful, so it decides.
  const code = findings.some((finding) => finding.code === exitCode.usage)
    ? exitCode.usage
    : findings[0]?.code
  const [only] = findings
  if (findings.length === 1 && only) throw new TaskError(only.text, { next: only.next, code: only.code })
  throw fromProblems(texts, { code })
}

/** One machine of a group is enough; the others are told of. */
async function reachGroup(session: Session<unknown>, group: Reach[]): Promise<Finding[]> {
  const results = await Promise.all(
    group.map(async ({ host, as }): Promise<Finding | undefined> => {
      try {
        const login = await session.hosts.get(host)
        await (as ? login.as(as) : login).verify()
        return undefined
      } catch (error) {
        const why = await explain(error)
        const expected = errorBehind(error, HostError) ?? errorBehind(error, EstateError)
        if (!(why instanceof TaskError) || !expected) throw error
        return { text: why.message, next: why.next, code: why.code }
      }
    }),
  )
  const failed = results.filter((result) => result !== undefined)
  if (failed.length === group.length) return failed
  // What the inventory or .env lacks is wrong, whether or not another machine answered.
  const wrong = failed.filter(({ code }) => code === exitCode.usage)
  for (const { text } of failed.filter((one) => !wrong.includes(one))) session.warn(`no answer: ${text}`)
  return wrong
}

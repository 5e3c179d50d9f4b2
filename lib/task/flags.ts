import type * as z from 'zod'

import { commonFlags } from './common-flags.ts'
import type { CommonFlags } from './common-flags.ts'
import { scan } from './flag-scan.ts'
import type { Scan } from './flag-scan.ts'
import { flagSpecs, shortestInvocation } from './flag-spec.ts'
import type { FlagSpec } from './flag-spec.ts'
import { readValues } from './flag-values.ts'

export { wantsHelp, type CommonFlags } from './common-flags.ts'

export type ParsedFlags<S extends z.ZodObject> =
  | { ok: true; flags: z.output<S>; common: CommonFlags }
  /** `common` as far as it was understood: bad usage is reported as JSON too when JSON was asked for. */
  | { ok: false; problems: string[]; common: CommonFlags }

/**
 * Reads the flags of a task. Finds all problems at once.
 * @param invocation how the task is called, for the example in a problem: `npx tsx tasks/pg-reset.ts`
 */
export function parseFlags<S extends z.ZodObject>(
  schema: S,
  argv: readonly string[],
  invocation = '',
): ParsedFlags<S> {
  const shared = flagSpecs(commonFlags)
  const own = flagSpecs(schema)
  assertDistinct([...shared, ...own])

  const found = scan([...shared, ...own], argv)
  const common = commonFlags.parse(readValues(shared, found))
  found.problems.push(...contradictions(common))

  const parsed = schema.safeParse(readValues(own, found))
  if (parsed.success && found.problems.length === 0) return { ok: true, flags: parsed.data, common }
  const issues = parsed.success ? [] : parsed.error.issues
  return { ok: false, problems: [...found.problems, ...complaints(own, issues, found, invocation)], common }
}

function assertDistinct(specs: readonly FlagSpec[]): void {
  const names = specs.map((spec) => spec.name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`the flag --${twice} is defined twice; every task has it already`)
}

function contradictions(common: CommonFlags): string[] {
  return [
    ...(common.json && common.quiet ? ['--json and --quiet contradict each other: JSON is every event'] : []),
    ...(common.quiet && common.verbose ? ['--quiet and --verbose contradict each other'] : []),
  ]
}

/** What zod found, in the words of the command line; nothing twice that the scan has reported. */
function complaints(
  specs: readonly FlagSpec[],
  issues: readonly z.core.$ZodIssue[],
  found: Scan,
  invocation: string,
): string[] {
  const missing = specs.filter(
    (spec) => spec.required && !found.given.has(spec.key) && !found.bad.has(spec.key),
  )
  const reported = new Set([...found.bad, ...missing.map((spec) => spec.key)])
  const wrong = issues.flatMap((issue) => {
    const spec = specs.find((candidate) => candidate.key === issue.path[0])
    if (spec === undefined) return [issue.message]
    if (reported.has(spec.key)) return []
    const given = found.given.get(spec.key)?.join(', ')
    return [`--${spec.name}: ${issue.message}${given === undefined ? '' : ` (given: "${given}")`}`]
  })
  const absent = missing.map((spec) => {
    const description = spec.description === '' ? '' : `: ${spec.description}`
    return `--${spec.name} ${spec.placeholder} is missing${description}`
  })
  // One example shows all of them.
  const last = absent.pop()
  if (last !== undefined) absent.push(`${last}; for example: ${shortestInvocation(specs, invocation)}`)
  return [...wrong, ...absent]
}

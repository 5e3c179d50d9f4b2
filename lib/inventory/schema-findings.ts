import * as z from 'zod'

import { Cursor } from './cursor.ts'
import type { Finding } from './finding.ts'
import { nearest, suggestion } from './nearest.ts'
import type { Path } from './path.ts'

type Issue = z.core.$ZodIssue

/** What the schema finds wrong with `root`, in plain words and without repeating a value. */
export function schemaFindings(issues: Issue[], root: Cursor): Finding[] {
  return issues.flatMap((issue) => findingsOf(issue, root.get(...pathOf(issue)), root))
}

/**
 * Zod names the unknown keys but not the known ones, and inside a union not even the schema. The message
 * is the only part of an issue that a caller can set, so it carries them to `findingsOf`.
 */
export function knownKeysAsMessage(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'unrecognized_keys' || !(issue.inst instanceof z.ZodObject)) return undefined
  return Object.keys(issue.inst.shape).join(' ')
}

function findingsOf(issue: Issue, at: Cursor, root: Cursor): Finding[] {
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = issue.message.split(' ')
      // A known key that is already there is no guess: "databases" beside "database".
      const free = known.filter((name) => name !== '$schema' && !at.has(name))
      return issue.keys.filter((key) => key !== '__proto__').map((key) => unknownKey(at, key, free))
    }
    case 'invalid_type':
      return [
        at.exists ? at.problem(`${aKind(issue.expected)} is expected, not ${kindOf(at.value)}`) : missing(at),
      ]
    case 'invalid_value':
      return [choice(at, issue.values.map(String))]
    case 'invalid_union':
      if ('options' in issue && issue.options !== undefined) return [choice(at, issue.options.map(String))]
      return unionFindings(issue, at, root)
    case 'invalid_key':
      return issue.issues.map(({ message }) => at.keyProblem(message))
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'not_multiple_of':
    case 'too_big':
    case 'too_small':
      return [at.problem(issue.message)]
  }
}

/** The keys of which a cluster has one, in the order of the union's members. */
const clusterKinds = ['hosts', 'url', 'container']
const kindsInWords = '"hosts" (our machines), "url" (a managed server) or "container"'

function unknownKey(at: Cursor, key: string, free: string[]): Finding {
  if (clusterKinds.includes(key) && clusterKinds.filter((kind) => at.has(kind)).length > 1) {
    return at.get(key).keyProblem(`a cluster has one of ${kindsInWords}`)
  }
  return at
    .get(key)
    .keyProblem(`there is no "${key}" here`, free.length === 0 ? undefined : suggestion(key, free))
}

/** The only union without a discriminator: which key a cluster has says what it is. */
function unionFindings(issue: z.core.$ZodIssueInvalidUnion, at: Cursor, root: Cursor): Finding[] {
  const kind = clusterKinds.findLastIndex((key) => at.has(key))
  const branch = issue.errors[Math.max(kind, 0)] ?? []
  const findings = branch.flatMap((inner) => {
    const path = [...at.path, ...pathOf(inner)]
    return findingsOf(inner, root.get(...path), root)
  })
  if (kind !== -1) return findings
  const others = findings.filter(({ path }) => path.length !== at.path.length + 1 || path.at(-1) !== 'hosts')
  return [missing(at.get('hosts'), kindsInWords), ...others]
}

function missing(at: Cursor, what?: string): Finding {
  return at.problem(`${what ?? `"${String(at.path.at(-1) ?? 'inventory')}"`} is missing`)
}

function choice(at: Cursor, values: string[]): Finding {
  const list = values.map((value) => `"${value}"`).join(', ')
  if (!at.exists) return at.problem(`"${String(at.path.at(-1))}" is missing; it is one of ${list}`)
  const near = at.text === undefined ? undefined : nearest(at.text, values)
  return at.problem(`one of ${list} is expected`, near === undefined ? undefined : `Did you mean "${near}"?`)
}

function pathOf(issue: Issue): Path {
  return issue.path.map((segment) => (typeof segment === 'symbol' ? String(segment) : segment))
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'number' && !Number.isInteger(value)) return 'a fraction'
  return aKind(Array.isArray(value) ? 'array' : typeof value)
}

/** Zod says "record" where JSON says object, and "int" where people say whole number. */
function aKind(kind: string): string {
  const words: Record<string, string> = {
    record: 'an object',
    int: 'a whole number',
    boolean: 'true or false',
  }
  return words[kind] ?? (/^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`)
}

import { nearest } from '../inventory/nearest.ts'
import type { Scan } from './flag-scan.ts'
import type { FlagSpec } from './flag-spec.ts'

type Value = string | number | boolean

/** Converts what was given to the types of the flags; adds a problem for each value that does not fit. */
export function readValues(specs: readonly FlagSpec[], scan: Scan): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const spec of specs) {
    const given = scan.given.get(spec.key)
    if (given === undefined) {
      if (spec.kind === 'boolean' && spec.fallback === undefined) values[spec.key] = false
      continue
    }
    const complaint =
      given.map((text) => misfit(spec, text)).find((text) => text !== undefined) ?? clash(spec, given)
    if (complaint === undefined) {
      const read = given.map((text) => valueOf(spec, text))
      values[spec.key] = spec.many ? read : read[0]
    } else {
      scan.problems.push(complaint)
      scan.bad.add(spec.key)
    }
  }
  return values
}

function valueOf(spec: FlagSpec, given: string | boolean): Value {
  return spec.kind === 'number' ? Number(given) : given
}

function misfit(spec: FlagSpec, given: string | boolean): string | undefined {
  if (typeof given === 'boolean') return undefined
  switch (spec.kind) {
    case 'boolean':
      return `--${spec.name} takes no value, not "${given}"`
    case 'number':
      // Number() also reads "", "0x10" and "1e3", none of which anyone means on a command line.
      return /^-?\d+(\.\d+)?$/.test(given) ? undefined : `--${spec.name} takes a number, not "${given}"`
    case 'choice': {
      if (spec.choices.includes(given)) return undefined
      const meant = nearest(given, spec.choices)
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`
      return `--${spec.name} takes one of ${spec.choices.join(', ')}, not "${given}"${hint}`
    }
    case 'text':
      return undefined
  }
}

/** Which of two values a task would take is nothing to guess. */
function clash(spec: FlagSpec, given: readonly (string | boolean)[]): string | undefined {
  if (spec.many || new Set(given).size === 1) return undefined
  if (spec.kind === 'boolean') return `--${spec.name} and --no-${spec.name} contradict each other`
  return `--${spec.name} was given ${given.length} times: ${given.map((value) => `"${value}"`).join(', ')}`
}

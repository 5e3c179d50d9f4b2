import { nearest } from '../inventory/nearest.ts'
import type { FlagSpec } from './flag-spec.ts'
import { kebab } from './flag-spec.ts'

export type Scan = {
  /** What was given for each flag, by key, in order. */
  given: Map<string, (string | boolean)[]>
  problems: string[]
  /** Keys a problem was reported for: what follows from it is not reported again. */
  bad: Set<string>
}

/** Splits a command line into flags and their values. Values are checked by who knows their types. */
export function scan(specs: readonly FlagSpec[], argv: readonly string[]): Scan {
  const found: Scan = { given: new Map(), problems: [], bad: new Set() }
  const rest = [...argv]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') {
      found.problems.push(...rest.map((extra) => unexpected(extra)))
      break
    }
    if (arg === '-h') arg = '--help'
    if (arg.startsWith('--')) scanFlag(specs, arg, rest, found)
    else if (/^-[a-z]/i.test(arg)) found.problems.push(shortFlag(specs, arg))
    else found.problems.push(unexpected(arg))
  }
  return found
}

function scanFlag(specs: readonly FlagSpec[], arg: string, rest: string[], found: Scan): void {
  const equals = arg.indexOf('=')
  const name = equals === -1 ? arg.slice(2) : arg.slice(2, equals)
  const inline = equals === -1 ? undefined : arg.slice(equals + 1)

  const negated = specs.find((spec) => isNegatable(spec) && name === `no-${spec.name}`)
  if (negated !== undefined && inline === undefined) return add(found, negated, false)

  const spec = specs.find((candidate) => candidate.name === name)
  if (spec === undefined) return scanUnknown(specs, name, inline, rest, found)
  if (spec.kind === 'boolean') return add(found, spec, inline === undefined || booleanOf(inline))

  const value = inline ?? (isValue(spec, rest[0]) ? rest.shift() : undefined)
  if (value !== undefined && value !== '') return add(found, spec, value)
  found.bad.add(spec.key)
  if (value === '') found.problems.push(`--${name} was given an empty value`)
  else found.problems.push(`--${name} takes a value: --${name} ${spec.placeholder}${hyphenHint(name, rest)}`)
}

/** Takes the value of a mistyped flag along, so that one typing error is one problem. */
function scanUnknown(
  specs: readonly FlagSpec[],
  name: string,
  inline: string | undefined,
  rest: string[],
  found: Scan,
): void {
  const names = specs.flatMap((spec) => (isNegatable(spec) ? [spec.name, `no-${spec.name}`] : [spec.name]))
  const meant = nearest(kebab(name), names)
  const spec = specs.find((candidate) => candidate.name === meant)
  if (spec !== undefined) {
    found.bad.add(spec.key)
    if (inline === undefined && spec.kind !== 'boolean' && isValue(spec, rest[0])) rest.shift()
  }
  found.problems.push(
    `there is no flag --${name}; ${meant === undefined ? 'see --help' : `did you mean --${meant}?`}`,
  )
}

function add(found: Scan, spec: FlagSpec, value: string | boolean): void {
  found.given.set(spec.key, [...(found.given.get(spec.key) ?? []), value])
}

function isNegatable(spec: FlagSpec): boolean {
  return spec.kind === 'boolean' && spec.fallback === true
}

/** `--flag=yes` is handed on as text, to be named as what it is: neither true nor false. */
function booleanOf(inline: string): boolean | string {
  return inline === 'true' || (inline === 'false' ? false : inline)
}

function isValue(spec: FlagSpec, next: string | undefined): boolean {
  if (next === undefined) return false
  return !next.startsWith('-') || next === '-' || (spec.kind === 'number' && /^-[\d.]/.test(next))
}

/** What begins with one hyphen was meant as the value, there being no such flags; it is no problem of its own. */
function hyphenHint(name: string, rest: string[]): string {
  if (rest[0] === undefined || rest[0].startsWith('--')) return ''
  return ` (a value that begins with a hyphen: --${name}=${rest.shift()})`
}

function shortFlag(specs: readonly FlagSpec[], arg: string): string {
  const names = specs.map((spec) => spec.name)
  const letters = arg.slice(1)
  const meant = names.find((name) => name === letters) ?? names.find((name) => name.startsWith(letters))
  return `there is no flag ${arg}; ${meant === undefined ? 'see --help' : `did you mean --${meant}?`}`
}

function unexpected(arg: string): string {
  // Word processors and chat programs turn two hyphens into one long dash.
  if (/^[\u2010-\u2015\u2212]/.test(arg))
    return `"${arg}" begins with a dash that is no hyphen: type two hyphens`
  return `"${arg}" stands alone: a task takes flags only, see --help`
}

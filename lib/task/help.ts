import type * as z from 'zod'

import { commonFlags } from './common-flags.ts'
import { exitCodeMeanings } from './exit-code.ts'
import { flagSpecs, shortestInvocation } from './flag-spec.ts'
import type { FlagSpec } from './flag-spec.ts'
import { wrap } from './text.ts'

export type Documented = {
  name: string
  summary: string
  /** What it changes, whether it is safe to run again. */
  details?: string | undefined
  /** Whole command lines that work as they stand. */
  examples?: readonly string[] | undefined
  flags: z.ZodObject
}

const width = 100
/** A flag longer than this stands on a line of its own, so that one long name does not squeeze all texts. */
const widestFlag = 34

/** How a task is called, from the project's folder; the same on every operating system. */
export function invocationOf(name: string): string {
  return `npx tsx tasks/${name}.ts`
}

export function helpText(task: Documented): string {
  const own = flagSpecs(task.flags)
  const shared = flagSpecs(commonFlags)
  const column = Math.min(widestFlag, Math.max(...[...own, ...shared].map((spec) => typed(spec).length)))
  const usage = shortestInvocation(own, invocationOf(task.name))
  const examples = task.examples ?? [`${usage} --dry-run`]
  return [
    ...wrap(`${task.name}: ${task.summary}`, width),
    ...(task.details === undefined ? [] : ['', ...wrap(task.details, width)]),
    '',
    `Usage: ${usage} [flags]`,
    ...(own.length === 0 ? [] : ['', 'Flags', ...own.flatMap((spec) => flagLines(spec, column))]),
    '',
    'Flags of every task',
    ...shared.flatMap((spec) => flagLines(spec, column)),
    '',
    'Examples',
    ...examples.map((example) => `  ${example}`),
    '',
    'Exit codes',
    ...wrap(codes(), width - 2).map((line) => `  ${line}`),
    '',
  ].join('\n')
}

function typed(spec: FlagSpec): string {
  if (spec.kind !== 'boolean') return `--${spec.name} ${spec.placeholder}`
  return spec.fallback === true ? `--[no-]${spec.name}` : `--${spec.name}`
}

function flagLines(spec: FlagSpec, column: number): string[] {
  const flag = typed(spec)
  const texts = wrap([spec.description, ...remarks(spec)].filter(Boolean).join(' '), width - column - 4)
  const alone = flag.length > column
  const rows = alone ? texts : texts.slice(1)
  const head = alone ? `  ${flag}` : `  ${flag.padEnd(column)}  ${texts[0]}`.trimEnd()
  return [head, ...rows.map((text) => `${' '.repeat(column + 4)}${text}`)]
}

function remarks(spec: FlagSpec): string[] {
  return [
    ...(spec.required ? ['(required)'] : []),
    ...(spec.many ? ['(may be repeated)'] : []),
    ...(defaultOf(spec) === '' ? [] : [`(default: ${defaultOf(spec)})`]),
  ]
}

function defaultOf({ kind, fallback }: FlagSpec): string {
  if (kind === 'boolean') return fallback === true ? 'yes' : ''
  if (fallback === undefined || fallback === null) return ''
  return Array.isArray(fallback) ? fallback.map((item) => textOf(item)).join(', ') : textOf(fallback)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function codes(): string {
  return exitCodeMeanings.map(([code, meaning]) => `${code} ${meaning}`).join(', ')
}

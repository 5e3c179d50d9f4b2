import type { ChangeEvent, ErrorEvent, NoteEvent, StartEvent, StepEvent } from './events.ts'
import { duration, linesOf, oneLine } from './text.ts'

/** Sets off what a machine was given or said from what we say. */
const gutter = '| '

/**
 * `pg-primary (postgres): psql …`; further lines of the command stand below. What would be given on
 * stdin is part of a dry run's answer, and is shown whole.
 */
export function changeLines(change: ChangeEvent): string[] {
  const [first, ...rest] = linesOf(change.command)
  const input = change.state === 'would' && change.input !== undefined ? linesOf(change.input) : []
  return [
    `${oneLine(change.host)} (${oneLine(change.user)}): ${first}`,
    ...rest.map((line) => `  ${line}`),
    ...input.map((line) => `${gutter}${line}`.trimEnd()),
  ]
}

export function noteLines(note: NoteEvent): string[] {
  return linesOf(note.text)
}

/** `Dump weltenwind: 34 MB (1.2 s)` */
export function stepLine(step: StepEvent): string {
  const detail = step.detail === undefined ? '' : `: ${oneLine(step.detail)}`
  const time = step.ms === undefined ? '' : ` (${duration(step.ms)})`
  return `${oneLine(step.title)}${detail}${time}`
}

/** What failed, what was seen, what to do next. */
export function errorLines(error: ErrorEvent): string[] {
  const seen = error.seen === undefined || error.seen.trim() === '' ? [] : linesOf(error.seen)
  return [
    ...linesOf(error.message),
    ...(seen.length === 0 ? [] : ['seen:', ...seen.map((line) => `${gutter}${line}`.trimEnd())]),
    ...(error.next === undefined ? [] : linesOf(`next: ${error.next}`)),
  ]
}

/** `pg-reset, dry run, nothing will be changed: database=weltenwind skipSeed` */
export function startLine(task: string, start: StartEvent): string {
  const flags = Object.entries(start.flags).flatMap(([name, value]) => {
    if (value === undefined || value === false) return []
    if (value === true) return [name]
    return [`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`]
  })
  const what = start.dryRun ? `${task}, dry run, nothing will be changed` : task
  return oneLine(flags.length === 0 ? what : `${what}: ${flags.join(' ')}`)
}

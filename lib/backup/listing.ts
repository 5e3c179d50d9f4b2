import { size } from '../task/size.ts'
import { duration, wrap } from '../task/text.ts'
import { ageOf } from './age.ts'
import { type Backup, bytesOf, standingOf } from './backups.ts'
import { freshnessOf } from './freshness.ts'
import { candidatesOf, type Holding } from './holding.ts'
import { isQuiet } from './keep.ts'
import { nameOf } from './subject.ts'
import { failureOf } from './warnings.ts'

const separator = '  '
/** Of a line, the indentation included. */
const width = 80

/** A table for people, the newest first. @param now by the store's clock */
export function describeHolding(holding: Holding, now: Date): string {
  const { subject, backups, uploads } = holding
  const { whole, verified } = freshnessOf(backups, now)
  const total = backups.reduce((sum, backup) => sum + bytesOf(backup), 0)
  const title = [
    backups.length === 1 ? '1 backup' : `${backups.length} backups`,
    ...(total > 0 ? [size(total)] : []),
    `newest ${whole ? `${ageOf(whole.begun, now)} old` : 'none'}`,
    `verified ${verified ? `${ageOf(verified.begun, now)} old` : 'none'}`,
  ].join(', ')
  const rows = candidatesOf(holding)
    .toReversed()
    .map((candidate) => rowOf(candidate.of, !isQuiet(candidate, now), now))
  return [
    `${nameOf(subject)}: ${title}`,
    ...(rows.length > 0 ? tableOf(['backup', 'age', 'size', 'state', 'restored'], rows) : []),
    ...uploads.map(
      ({ backup, key, since }) =>
        `  open upload of ${key.split('/').at(-1)} of ${backup}, begun ${ageOf(since, now)} ago`,
    ),
  ].join('\n')
}

function rowOf(backup: Backup, isYoung: boolean, now: Date): string[] {
  const time = backup.manifest ? new Date(backup.manifest.taken) : backup.begun
  return [
    backup.id,
    ageOf(time, now),
    size(bytesOf(backup)),
    standingOf(backup),
    remarkOn(backup, isYoung, now),
  ]
}

function remarkOn(backup: Backup, isYoung: boolean, now: Date): string {
  const last = backup.evidence.at(-1)
  switch (standingOf(backup)) {
    case 'verified':
      return last ? `${ageOf(new Date(last.at), now)} ago in ${duration(last.restoreMs)} by ${last.by}` : ''
    case 'whole':
      return 'never'
    case 'bad':
      return failureOf(backup)
    case 'damaged':
      return backup.why ?? ''
    case 'incomplete':
      return isYoung ? 'may still be running' : 'was cut off'
  }
}

/** Columns as wide as they must be, and what is left of the line for the last one. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows]
  const widths = head.slice(0, -1).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const indent = widths.reduce((sum, column) => sum + column + separator.length, separator.length)
  return all.flatMap((row) => {
    const cells = widths.map((column, index) => (row[index] ?? '').padEnd(column))
    const [first = '', ...more] = wrap(row.at(-1) ?? '', width - indent)
    return [
      `${separator}${[...cells, first].join(separator)}`.trimEnd(),
      ...more.map((line) => `${' '.repeat(indent)}${line}`),
    ]
  })
}

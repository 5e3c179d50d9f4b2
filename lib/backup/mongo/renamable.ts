import { ours, type Swap } from '../../mongo/swap.ts'
import { TaskError } from '../../task/errors.ts'
import type { MongoManifest } from '../manifest.ts'

/** Of a namespace, `webapp.users` (https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions). Bytes. */
const longestName = 255

interface Named {
  name: string
  /** As MongoDB calls it. */
  type: string
}

/** Views, and functions that the server runs: they have no data, and MongoDB does not rename them. */
export function isFixed({ name, type }: Named): boolean {
  return type === 'view' || name.startsWith('system.')
}

/** The collections of a backup that get their names by being renamed, and the others. */
export function partsOf({ collections }: MongoManifest): { renamed: string[]; fixed: string[] } {
  const all = Object.entries(collections).map(([name, { kind: type }]) => ({ name, type }))
  return {
    renamed: all.filter((one) => !isFixed(one)).map(({ name }) => name),
    fixed: all.filter(isFixed).map(({ name }) => name),
  }
}

/**
 * @param present what is in the database
 * @throws TaskError for what MongoDB cannot rename
 */
export function refuseUnrenamable(
  { database, collections }: MongoManifest,
  present: readonly Named[],
  { kept }: Swap,
): void {
  const dumped = Object.entries(collections).map(([name, { kind: type }]) => ({ name, type }))
  const all = [...dumped, ...present.filter(({ name }) => !name.startsWith(ours))]
  const series = all.filter(({ type }) => type === 'timeseries').map(({ name }) => name)
  if (series.length > 0) {
    throw new TaskError(`MongoDB renames no time series: ${[...new Set(series)].join(', ')}`, {
      next: 'restore it by hand: docs/backup.md has the line',
    })
  }
  for (const one of present) {
    const was = dumped.find(({ name }) => name === one.name)
    if (was && isFixed(one) !== isFixed(was)) {
      throw new TaskError(`${one.name} is a ${one.type}, and was a ${was.type} when it was dumped`, {
        next: 'drop or rename it, then run it again',
      })
    }
  }
  const long = all.find(({ name }) => Buffer.byteLength(`${database}.${kept}${name}.meanwhile`) > longestName)
  if (long) throw new TaskError(`the name of ${long.name} is too long for it to be put aside`)
}

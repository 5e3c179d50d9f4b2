import type { Contents } from '../postgres/dump/contents.ts'
import { size } from '../task/size.ts'
import { duration } from '../task/text.ts'
import type { Part } from './manifest.ts'
import type { Progress } from './part.ts'

/**
 * `412 MB, 61.0 MB/s, about 3 min 20 s left`. How long is a guess, and none without something to guess from.
 * @param ms since the beginning
 * @param whole how large it may get, in bytes
 */
export function describeProgress({ made }: Progress, ms: number, whole: number | undefined): string {
  const rate = made / (ms / 1000)
  const words = [size(made), `${size(rate)}/s`]
  if (whole !== undefined && made < whole && rate > 0) {
    words.push(`about ${duration(((whole - made) / rate) * 1000)} left`)
  }
  return words.join(', ')
}

export function describePart({ plain, bytes }: Part): string {
  return `${size(plain.bytes)}, ${size(bytes)} encrypted`
}

/** `3 tables with 1204 rows, 5 migrations` */
export function describeContents({ tables, migrations }: Contents): string {
  const counts = Object.values(tables)
  const rows = counts.reduce((sum, count) => sum + count, 0)
  const content = `${counts.length} tables with ${rows} rows`
  return migrations ? `${content}, ${migrations.applied.length} migrations` : content
}

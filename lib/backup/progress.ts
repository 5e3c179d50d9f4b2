import { size } from '../postgres/size.ts'
import { duration } from '../task/text.ts'
import type { Progress } from './part.ts'

/**
 * `412 MB, 61.0 MB/s, about 3 min 20 s left`. How large a dump gets is known only from the last one.
 * @param ms since the beginning
 */
export function describeProgress({ made }: Progress, ms: number, last: number | undefined): string {
  const rate = made / (ms / 1000)
  const words = [size(made), `${size(rate)}/s`]
  if (last !== undefined && made < last && rate > 0) {
    words.push(`about ${duration(((last - made) / rate) * 1000)} left if it gets as large as the last one`)
  }
  return words.join(', ')
}

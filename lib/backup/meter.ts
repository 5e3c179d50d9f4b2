import type { Session, StepHandle } from '../task/session.ts'
import { size } from '../task/size.ts'
import { duration } from '../task/text.ts'

/** What is between two words of progress. Milliseconds. */
const tick = 1000

/** Tells now and then how far a stream of so many bytes has come. */
export function meter(session: Session<unknown>, step: StepHandle, all: number): (bytes: number) => void {
  const start = performance.now()
  let last = start
  return (bytes) => {
    const now = performance.now()
    if (now - last < tick) return
    last = now
    const rate = bytes / ((now - start) / 1000)
    const left = duration(((all - bytes) / rate) * 1000)
    session.progress(step, `${size(bytes)} of ${size(all)}, ${size(rate)}/s, about ${left} left`)
  }
}

import type { Path } from './path.ts'

/** A problem before its place in the file is known. */
export interface Finding {
  path: Path
  /** Which of the two to point at: the name of the last member in `path`, or what stands behind it. */
  at: 'key' | 'value'
  message: string
  hint?: string
}

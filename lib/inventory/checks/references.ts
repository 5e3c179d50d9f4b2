import type { Cursor } from '../cursor.ts'
import type { Finding } from '../finding.ts'
import { suggestion } from '../nearest.ts'

/** A finding when `at` names something that `all` does not have; `kind` as in `no host is called "x"`. */
export function* reference(at: Cursor, kind: string, all: Cursor): Generator<Finding> {
  const name = at.text
  if (name === undefined || !all.lacks(name)) return
  yield at.problem(`no ${kind} is called "${name}"`, suggestion(name, all.names()))
}

import { Cursor } from '../cursor.ts'
import type { Finding } from '../finding.ts'

/** A password before an "@" in a URL; a shell variable in its place is fine. */
const URL_PASSWORD = /:\/\/[^\s/@:]*:(?!\$)[^\s/@]+@/

/** What no string and no key may hold, wherever it stands. Never repeats the string. */
export function* textFindings(root: Cursor): Generator<Finding> {
  const waiting: Cursor[] = [root]
  while (waiting.length > 0) {
    const at = waiting.pop() ?? root
    if (at.text !== undefined && URL_PASSWORD.test(at.text)) {
      yield at.problem(
        'a password stands in this URL',
        'Move it to the .env file; a command finds it in a variable of the machine that it runs on',
      )
    }
    for (const [name, value] of at.members()) {
      // Zod passes over this key in silence, and assigning it would change what an object inherits.
      if (name === '__proto__') yield value.keyProblem('"__proto__" cannot be a name')
      else waiting.push(value)
    }
    waiting.push(...at.items())
  }
}

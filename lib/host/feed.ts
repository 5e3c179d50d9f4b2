import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import type { ProcessPromise } from 'zx/core'

/**
 * Gives a command what a stream says, at the command's pace. zx leaves a command waiting whose stream has failed:
 * here it is ended, and the stream's error is thrown. A command that fails early ends the stream.
 *
 * @param command started with `keepInputOpen`
 * @param end whether the end of the stream is that of the command's stdin
 * @throws what went wrong first: the stream's error, or the command's
 */
export async function feed(command: ProcessPromise, content: Readable, end = true): Promise<void> {
  let broken: { error: unknown } | undefined
  const fed = pipeline(content, command.stdin, { end }).catch((error: unknown) => {
    broken ??= { error }
    // Too late when it has ended already.
    Promise.resolve()
      .then(() => command.kill('SIGTERM'))
      .catch(() => {})
  })
  try {
    await command
    // A stream may find itself wanting at its very end.
    await fed
  } catch (error) {
    throw broken ? broken.error : error
  } finally {
    content.destroy()
  }
  if (broken) throw broken.error
}

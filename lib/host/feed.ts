import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import type { ProcessPromise } from 'zx/core'

/**
 * Gives a command what a stream says, at the command's pace. zx leaves a command waiting whose stream has failed:
 * here it is ended, and the stream's error is thrown. A command that ends early ends the stream.
 *
 * @param command started with `keepInputOpen`
 * @throws what went wrong first: the stream's error, or the command's
 */
export async function feed(command: ProcessPromise, content: Readable): Promise<void> {
  let broken: { error: unknown } | undefined
  const fed = pipeline(content, command.stdin).catch((error: unknown) => {
    broken ??= { error }
    // Too late when it has ended already.
    Promise.resolve()
      .then(() => command.kill('SIGTERM'))
      .catch(() => {})
  })
  try {
    await command
  } catch (error) {
    throw broken ? broken.error : error
  } finally {
    content.destroy()
  }
  await fed
  if (broken) throw broken.error
}

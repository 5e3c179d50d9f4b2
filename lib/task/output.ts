import { styleText } from 'node:util'

import type { TaskEvent } from './events.ts'

/** Where a run prints to: process.stdout and process.stderr, or a recorder in a test. */
export type Stream = { write(text: string): unknown; readonly isTTY?: boolean | undefined }
export type Output<S extends Stream = Stream> = { stdout: S; stderr: S }

/** Turns the events of one run into what its caller sees. */
export type Reporter = {
  event(event: TaskEvent): void
  /** Runs a prompt with the screen to itself: what was reported before is printed, nothing is drawn meanwhile. */
  ask<T>(prompt: () => Promise<T>): Promise<T>
  /** Resolves when all is printed. To be awaited before the process ends. */
  end(): Promise<void>
}

export type Environment = Readonly<Record<string, string | undefined>>

export type Style = Parameters<typeof styleText>[0]
export type Paint = (style: Style, text: string) => string

export function allowsColours(env: Environment): boolean {
  return (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}

/** Colours for a terminal; elsewhere, or where https://no-color.org or a dumb terminal asks for none, plain text. */
export function painter(stream: Stream, env: Environment = process.env): Paint {
  const plain = stream.isTTY !== true || !allowsColours(env)
  // Newer Node looks at process.stdout itself unless told not to; the stream that matters is the one given.
  return plain ? (_, text) => text : (style, text) => styleText(style, text, { validateStream: false })
}

import type { Desk } from './desk.ts'

/** One way to ask ten hosts. */
export interface Way {
  title: string
  /** Programs that it needs on this machine besides the project. */
  needs: readonly string[]
  /** Done once, before the first round, and not timed. */
  prepare?(desk: Desk): Promise<void>
  /** Asks each host the first `count` commands. Milliseconds, by title. */
  ask(desk: Desk, count: number): Promise<Record<string, number>>
  /** Done after each round, and not timed: it brings things back to where they were before. */
  settle?(desk: Desk): Promise<void>
  /** Done once, at the end, also when something failed: it leaves nothing running. */
  finish?(desk: Desk): Promise<void>
}

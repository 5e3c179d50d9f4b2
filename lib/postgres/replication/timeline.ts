import * as z from 'zod'

import { bytesBetween, Lsn } from './lsn.ts'

/** Where a timeline ended and the next one began. */
export interface Fork {
  timeline: number
  at: string
}

const Line = z.tuple([z.coerce.number(), Lsn])

/** Of a history file: each timeline that the server has been on, and where it left it. */
export function parseHistory(text: string): Fork[] {
  return text.split('\n').flatMap((line) => {
    const [timeline, at] = line.trim().split(/\s+/)
    const parsed = Line.safeParse([timeline, at])
    return parsed.success ? [{ timeline: parsed.data[0], at: parsed.data[1] }] : []
  })
}

/** Where a server is, and how it came there. */
export interface Position {
  timeline: number
  lsn: string
  history: Fork[]
}

/**
 * Where a standby's way and the primary's part, when the standby has gone on past that point: what it has
 * from there on, the primary never had. `undefined` when it stands somewhere on the primary's own way.
 */
export function forkBehind(standby: Position, primary: Position): string | undefined {
  const way = wayOf(standby)
  for (const [index, step] of wayOf(primary).entries()) {
    const own = way[index]
    const isLast = index === way.length - 1
    // Timelines of one number may be two, each begun by a promotion of its own.
    if (!own || own.timeline !== step.timeline) return way[index - 1]?.at ?? '0/0'
    const isPresent = step.timeline === primary.timeline
    if (isPresent) return isLast ? undefined : own.at
    if (isLast) return bytesBetween(step.at, own.at) > 0 ? step.at : undefined
    if (own.at !== step.at) return bytesBetween(step.at, own.at) > 0 ? step.at : own.at
  }
  return undefined
}

function wayOf({ timeline, lsn, history }: Position): Fork[] {
  return [...history, { timeline, at: lsn }]
}

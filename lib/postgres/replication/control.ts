import * as z from 'zod'

import { Lsn } from './lsn.ts'

/** What a data directory says of itself, whether or not a server runs on it; of `pg_controldata` under LC_ALL=C. */
export interface Control {
  /** Given to a cluster by initdb; a copy of its files has the same one. */
  system: string
  state: string
  timeline: number
  /** Where the last checkpoint's record begins. */
  checkpoint: string
}

const Fields = z.object({
  'Database system identifier': z.string(),
  'Database cluster state': z.string(),
  'Latest checkpoint location': Lsn,
  "Latest checkpoint's TimeLineID": z.coerce.number(),
})

export function parseControl(text: string): Control {
  const pairs = text.split('\n').flatMap((line) => {
    const at = line.indexOf(':')
    return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()] as const]
  })
  const fields = Fields.parse(Object.fromEntries(pairs))
  return {
    system: fields['Database system identifier'],
    state: fields['Database cluster state'],
    timeline: fields["Latest checkpoint's TimeLineID"],
    checkpoint: fields['Latest checkpoint location'],
  }
}

/** The server that last ran on it was a primary, and ended in good order. */
export function isCleanPrimary({ state }: Control): boolean {
  return state === 'shut down'
}

/** The server that last ran on it was a primary, however it ended. */
export function wasPrimary({ state }: Control): boolean {
  return ['shut down', 'shutting down', 'in production', 'in crash recovery', 'starting up'].includes(state)
}

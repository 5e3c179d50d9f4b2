import { randomUUID } from 'node:crypto'
import { join } from 'node:path'

import type { TaskEvent } from './events.ts'
import { appendLine } from './journal-file.ts'
import { operator } from './operator.ts'
import { stateFolder } from './state-folder.ts'
import { harmlessJson } from './text.ts'

export type JournalOptions = {
  /** Name of the estate; unknown when there was no inventory to read. */
  estate?: string | undefined
  redact: (text: string) => string
  /** Told once per run when the journal cannot be written; the run goes on. */
  warn: (text: string) => void
  /** Default: `journal` in the state folder of the platform. */
  folder?: string | undefined
}

export type Journal = {
  /** Writes down the start, each change that was made or failed, and the end. */
  event(event: TaskEvent): void
}

type Entry = Readonly<Record<string, unknown>>

/** Longer texts are cut: a journal says what was done, and is no copy of it. In characters. */
const longest = 4000

/** The journal of one run: who did what, when, to which estate, and how it ended. A file a month, a JSON line an entry. */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const run = randomUUID().slice(0, 8)
  const errors: string[] = []
  let warned = false

  function warn(error: unknown): void {
    if (warned) return
    warned = true
    const reason = error instanceof Error ? error.message : String(error)
    options.warn(`the journal cannot be written, so it will not tell of this run: ${reason}`)
  }

  const folder = options.folder ?? (await journalFolder(warn))

  function append({ time, task, event }: TaskEvent, entry: Entry): void {
    if (folder === undefined) return
    const line = harmlessJson(readable({ time, run, task, event, ...entry }, options.redact))
    try {
      appendLine(folder, `${time.slice(0, '2025-01'.length)}.jsonl`, line)
    } catch (error) {
      warn(error)
    }
  }

  return {
    event: (happened) => {
      switch (happened.event) {
        case 'start': {
          const { flags, dryRun } = happened
          return append(happened, { who: operator(), estate: options.estate, dryRun, flags })
        }
        case 'change': {
          const { state, host, user, command, input } = happened
          // What was not done is no entry: a dry run has a start and an end.
          if (state !== 'done' && state !== 'failed') return
          return append(happened, { state, host, user, command, input })
        }
        case 'error':
          errors.push(happened.message)
          return
        case 'end': {
          const { outcome, code, changed, unchanged, ms } = happened
          return append(happened, {
            outcome,
            code,
            changed,
            unchanged,
            ms,
            ...(errors.length > 0 ? { errors } : {}),
          })
        }
        case 'step':
        case 'progress':
        case 'note':
        case 'data':
          return
      }
    },
  }
}

async function journalFolder(warn: (error: unknown) => void): Promise<string | undefined> {
  try {
    return join(await stateFolder(), 'journal')
  } catch (error) {
    warn(error)
    return undefined
  }
}

/** Redacts before it cuts: half a secret would not be recognised. */
function readable(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === 'string') {
    const text = redact(value)
    return text.length <= longest
      ? text
      : `${text.slice(0, longest)}… (${text.length - longest} more characters)`
  }
  if (Array.isArray(value)) return value.map((item) => readable(item, redact))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readable(item, redact)]))
  }
  return value
}

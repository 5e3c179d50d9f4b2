import type { ExitCode, Outcome } from './exit-code.ts'

/** A run began. Flags are redacted. */
export type StartEvent = { event: 'start'; flags: Readonly<Record<string, unknown>>; dryRun: boolean }

export type StepEvent = {
  event: 'step'
  state: 'started' | 'done' | 'failed' | 'skipped'
  /** May differ from the title it started with: a step that is done says what it found. */
  title: string
  detail?: string | undefined
  /** Milliseconds since it started. */
  ms?: number | undefined
}

/** What a step is at: the last line its command has printed. Shown while it runs, and not kept. */
export type ProgressEvent = { event: 'progress'; title: string; detail: string }

export type ChangeEvent = {
  event: 'change'
  /** `would` only in a dry run; `unchanged`: the machine was in that state already. */
  state: 'would' | 'done' | 'failed' | 'unchanged'
  host: string
  user: string
  command: string
  /** Text given on stdin, redacted, or `<n bytes>` for data. */
  input?: string | undefined
}

export type NoteEvent = {
  event: 'note'
  text: string
  /** Something is not well, though the run goes on: shown with `--quiet` too, on stderr. */
  warning?: boolean | undefined
}

/** Facts that were asked for: as data for programs, which read `--json`, and as text for everybody else. */
export type DataEvent = {
  event: 'data'
  /** What they are about; says which fields `data` has. */
  name: string
  data: object
  /** The same to read, on several lines; not in `--json`. */
  text: string
}

export type ErrorEvent = {
  event: 'error'
  message: string
  seen?: string | undefined
  next?: string | undefined
  code: ExitCode
}

export type EndEvent = {
  event: 'end'
  outcome: Outcome
  changed: number
  unchanged: number
  code: ExitCode
  /** Milliseconds since the start. */
  ms: number
}

export type TaskEventBody =
  | StartEvent
  | StepEvent
  | ProgressEvent
  | ChangeEvent
  | NoteEvent
  | DataEvent
  | ErrorEvent
  | EndEvent

/** `time`: ISO 8601, UTC. `task`: its name, `pg-reset`. */
export type TaskEvent = { time: string; task: string } & TaskEventBody

import { type Flow, FlowError } from '../../host/flow.ts'
import { TaskError } from '../../task/errors.ts'
import { PostgresError } from '../server.ts'
import { lineOf, type Program, type Programs } from './programs.ts'
import { greetingOf, scriptOf } from './way.ts'

/** How long a dump waits for a table that somebody has locked, as PostgreSQL writes it. */
const lockPatience = '5min'

/** A database whole, in pg_dump's own format, which alone can be read while it is written. */
export function dumpDatabase(programs: Programs, database: string, snapshot: string): Flow {
  return stream(programs, 'pg_dump', database, [
    '--format=custom',
    ...programs.compression,
    `--lock-wait-timeout=${lockPatience}`,
    `--snapshot=${snapshot}`,
  ])
}

/** The roles of a server with their settings and memberships, and its tablespaces, as SQL. */
export function dumpGlobals(programs: Programs, database: string, passwords: boolean): Flow {
  return stream(programs, 'pg_dumpall', database, [
    '--globals-only',
    ...(passwords ? [] : ['--no-role-passwords']),
  ])
}

function stream(programs: Programs, program: Program, database: string, words: string[]): Flow {
  const script = scriptOf(programs, `exec ${lineOf(programs, program, database, words)}`)
  const shown = [program, ...words, database].join(' ')
  return programs.host.stream({ input: greetingOf(programs), keepInputOpen: true, shown })`
    exec bash -c ${script}`
}

/**
 * Whether a table was dropped in the moment between a snapshot and the locks that pg_dump takes on all that it has found
 * there. Another snapshot does not have it.
 */
export function hasVanished(error: unknown): boolean {
  const said = error instanceof FlowError ? error.seen : error instanceof PostgresError ? error.message : ''
  return /relation (with OID \d+|".*") does not exist|could not open relation with OID/.test(said)
}

/** What pg_dump said, with what to do about it where that is known. */
export function dumpError(error: unknown, database: string): unknown {
  if (!(error instanceof FlowError)) return error
  const next = remedies.find(({ when }) => when.test(error.seen))?.next
  return new TaskError(`the dump of ${database} failed: ${error.message}`, {
    seen: error.seen,
    next,
    cause: error,
  })
}

const remedies = [
  {
    when: /conflict with recovery/,
    next:
      'a standby ends questions that hold up its replay: set hot_standby_feedback = on or a longer ' +
      'max_standby_streaming_delay there, or "source": "primary" in the inventory',
  },
  {
    when: /lock timeout/,
    next: `somebody has held a lock on a table for ${lockPatience}; pg-status shows old transactions`,
  },
  {
    when: /does not exist|could not open relation|cache lookup failed/,
    next: 'something was dropped while it was being dumped; run it again',
  },
]

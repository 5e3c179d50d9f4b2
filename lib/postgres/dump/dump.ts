import type { Flow } from '../../host/flow.ts'
import { type Programs, wordsOf } from './programs.ts'

/** How long a dump waits for a table that somebody has locked, as PostgreSQL writes it. */
const lockPatience = '5min'

/** A database whole, in pg_dump's own format, which alone can be read while it is written. */
export function dumpDatabase(programs: Programs, database: string, snapshot: string): Flow {
  const words = [
    ...wordsOf(programs, 'pg_dump'),
    '--format=custom',
    ...programs.compression,
    `--lock-wait-timeout=${lockPatience}`,
    `--snapshot=${snapshot}`,
  ]
  return stream(programs, words, database)
}

/** The roles of a server with their settings and memberships, and its tablespaces, as SQL. */
export function dumpGlobals(programs: Programs, database: string, passwords: boolean): Flow {
  const without = passwords ? [] : ['--no-role-passwords']
  return stream(
    programs,
    [...wordsOf(programs, 'pg_dumpall'), '--globals-only', ...without, `--database=${database}`],
    database,
  )
}

function stream(programs: Programs, words: string[], database: string): Flow {
  return programs.host.stream({ input: `${programs.password}\0` })`
    cd /
    IFS= read -r -d '' PGPASSWORD; if [ "$PGPASSWORD" ]; then export PGPASSWORD; fi
    PGAPPNAME=hausmeister exec ${words} -d ${programs.connection(database)}`
}

import { Readable } from 'node:stream'

import { feed } from '../../host/feed.ts'
import { TaskError } from '../../task/errors.ts'
import { lineOf } from '../dump/programs.ts'
import { greetingOf, scriptOf } from '../dump/way.ts'
import type { RestoreProgram } from './programs.ts'

/** pg_restore came to an end by itself, and had not restored all. */
export class RestoreError extends TaskError {
  /** Whether it has found the dump itself wanting; else it was killed, or the server or the machine was. */
  readonly blamesDump: boolean

  constructor(message: string, seen: string, cause: unknown) {
    const remedy = remedies.find(({ when }) => when.test(seen)) ?? (isForeign(seen) ? foreign : undefined)
    super(message, { seen, next: remedy?.next, cause })
    this.blamesDump = remedy === undefined && seen.includes('pg_restore: error: ')
  }
}

/**
 * Restores a dump of pg_dump's own format into an empty database; with the first error it ends.
 * @param bytes how long the dump is
 * @param roles whether owners and grants are restored, too
 * @throws RestoreError; the dump's own error when that fails; HostError
 */
export async function restoreDump(
  program: RestoreProgram,
  database: string,
  { content, bytes }: { content: Readable; bytes: number },
  roles: boolean,
): Promise<void> {
  const { host, place } = program
  const words = ['--exit-on-error', ...(roles ? [] : ['--no-owner', '--no-acl'])]
  const line = lineOf(program, 'pg_restore', database, words)
  // It may end before it has read all, and then nobody would know whether the rest was whole.
  // The shell outlives it, see the leash.
  const script = scriptOf(program, `trap : TERM; ${line} && cat > /dev/null`, bytes)
  const command = host.change({
    keepInputOpen: true,
    shown: { command: `pg_restore into ${database}`, input: '<a stream>' },
  })`exec bash -c ${script}`
  command.stdin.write(greetingOf(program))
  try {
    // The end of a container's stdin is the word to stop.
    await feed(command, content, program.inside.length === 0)
  } catch (error) {
    const { ProcessOutput } = await import('zx/core')
    if (!(error instanceof ProcessOutput) || error.cause || error.exitCode === null) throw error
    const seen = error.stderr.trim().split('\n').slice(-mostLines).join('\n')
    throw new RestoreError(`pg_restore on ${place} failed with exit code ${error.exitCode}`, seen, error)
  }
}

const mostLines = 20

/** The server has spoken, and not in English: PostgreSQL translates the word for an error, too. */
function isForeign(seen: string): boolean {
  return /could not execute query: |COPY failed for table |PQputCopy/.test(seen) && !/ERROR: {2}/.test(seen)
}

const foreign = {
  next: 'see what that server says: its messages are not in English, so that nothing is recorded for them',
}

/** What it says when it is not the dump's fault. */
const remedies = [
  {
    // What is read from the store is proven by its SHA-256: it is the way there that has ended early.
    when: /from input file: end of file|input file is too short|unexpected end of file/,
    next: 'the dump did not arrive there whole: run it again',
  },
  {
    when: /No space left on device|could not extend file|Disk quota exceeded/,
    next: 'make room on that machine: df -h /var/lib/postgresql',
  },
  {
    when: /extension ".*" is not available|could not open extension control file/,
    next: 'install the package of that extension on that server (postgresql-<version>-<extension>), then run it again',
  },
  {
    when: /role ".*" does not exist/,
    next: 'create that role there; the globals of the backup have it',
  },
  {
    when: /server closed the connection|terminating connection|connection to server|shutting down|starting up|recovery mode|no connection to the server/,
    next: 'see whether that server is well, then run it again',
  },
  {
    when: /out of (shared )?memory|permission denied|unsupported version|canceling statement|could not (access file|load library)|(collation|tablespace) ".*".* does not exist/,
    next: 'see why that server refuses it, then run it again',
  },
]

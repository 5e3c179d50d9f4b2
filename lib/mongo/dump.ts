import { type Flow, FlowError } from '../host/flow.ts'
import { TaskError } from '../task/errors.ts'
import { ArchiveError } from './archive.ts'
import { type MongoServer, remedyOf } from './server.ts'
import { ours } from './swap.ts'
import { toolConfig, toolWords } from './way.ts'

/**
 * A database as one archive, compressed. Collections are read one after the other, four at a time, each while it is
 * written to: it holds no single moment. `--oplog` would make it one, and takes only all databases at once
 * (mongodump/mongodump.go of mongo-tools: "--oplog mode only supported on full dumps").
 */
export function dumpDatabase({ host, way }: MongoServer, database: string): Flow {
  const words = [
    'mongodump',
    ...toolWords(way),
    `--db=${database}`,
    // What a restore has put aside.
    `--excludeCollectionsWithPrefix=${ours}`,
    '--archive',
    '--gzip',
  ]
  const config = way.login ? ['--config=/dev/fd/9'] : []
  return host.stream({ input: toolConfig(way), shown: words.join(' ') })`
    IFS= read -r -d '' config
    exec ${words} ${config} 9< <(printf '%s' "$config")`
}

/** What mongodump said, with what to do about it where that is known. */
export function dumpError(error: unknown, server: MongoServer, database: string): unknown {
  if (error instanceof FlowError) {
    return new TaskError(`the dump of ${database} failed: ${error.message}`, {
      seen: error.seen,
      next: remedyOf(error.seen, server),
      cause: error,
    })
  }
  if (error instanceof ArchiveError || isZlib(error)) {
    return new TaskError(
      `mongodump on ${server.name} ended well, and its archive is not whole: ${error.message}`,
      {
        next: 'run it again; if it stays so, see its version and the log of mongod',
        cause: error,
      },
    )
  }
  return error
}

function isZlib(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
}

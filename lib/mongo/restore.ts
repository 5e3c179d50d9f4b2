import type { Readable } from 'node:stream'

import { feed } from '../host/feed.ts'
import { TaskError } from '../task/errors.ts'
import { type MongoServer, remedyOf } from './server.ts'
import { toolConfig, toolWords } from './way.ts'

/** mongorestore came to an end by itself, and had not restored all. */
export class RestoreError extends TaskError {
  /** Whether it has found the archive itself wanting; else it was killed, or the server or the machine was. */
  readonly blamesDump: boolean

  constructor(message: string, seen: string, next: string | undefined, cause: unknown) {
    super(message, { seen, next, cause })
    this.blamesDump = ofArchive.test(seen)
  }
}

/**
 * What mongorestore says of an archive that is none (common/archive of mongo-tools); and of documents that no index of
 * theirs takes together, as a dump may have that was made while they were written.
 */
const ofArchive =
  /corruption found in archive|error demultiplexing archive|CRC mismatch|not appear to be a mongodump archive|gzip: invalid|E11000 duplicate key/

/** A name in a pattern, which means itself (mongorestore/ns/ns.go of mongo-tools). */
export function literally(name: string): string {
  return name.replaceAll(/[\\*]/g, String.raw`\$&`)
}

/** A pattern of namespaces and what they are called in the restored copy; later ones come first. */
export interface Renaming {
  from: string
  to: string
}

/**
 * Restores an archive under other names; with the first error it ends.
 * @param without patterns of namespaces of the archive that are passed over
 * @throws RestoreError; the content's own error when that fails; HostError
 */
export async function restoreArchive(
  server: MongoServer,
  archive: Readable,
  renamings: readonly Renaming[],
  without: readonly string[] = [],
): Promise<void> {
  const { host, way } = server
  const words = [
    'mongorestore',
    ...toolWords(way),
    '--archive',
    '--gzip',
    // It goes on after documents that are refused, and ends with 0 all the same.
    '--stopOnError',
    ...renamings.flatMap(({ from, to }) => [`--nsFrom=${from}`, `--nsTo=${to}`]),
    ...without.map((namespace) => `--nsExclude=${namespace}`),
  ]
  const config = way.login ? ['--config=/dev/fd/9'] : []
  // It may end before it has read all, and then nobody would know whether the rest was whole.
  const command = host.change({
    keepInputOpen: true,
    shown: { command: words.join(' '), input: '<a stream>' },
  })`
    IFS= read -r -d '' config
    ${words} ${config} 9< <(printf '%s' "$config")
    cat > /dev/null`
  command.stdin.write(toolConfig(way))
  try {
    await feed(command, archive)
  } catch (error) {
    const { ProcessOutput } = await import('zx/core')
    if (!(error instanceof ProcessOutput) || error.cause || error.exitCode === null) throw error
    const seen = error.stderr.trim().split('\n').slice(-mostLines).join('\n')
    const message = `mongorestore on ${host.name} failed with exit code ${error.exitCode}`
    throw new RestoreError(message, seen, remedyOf(seen, server), error)
  }
}

const mostLines = 20

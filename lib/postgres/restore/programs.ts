import { TaskError } from '../../task/errors.ts'
import type { Reaching } from '../cluster.ts'
import { howToInstall, installed, type Installed, suitable } from '../dump/programs.ts'
import { type Way, wayTo } from '../dump/way.ts'

/** PostgreSQL's own pg_restore, and how it reaches a server. */
export type RestoreProgram = Way & Installed

/** What was dumped: versions as `17.6`. */
export interface DumpVersions {
  server: string
  pgDump: string
}

/**
 * Finds a pg_restore that reads a dump and can talk to a server.
 * @param version major version of the server
 * @throws TaskError when the server is older than the one that was dumped, or every pg_restore is older than the dump
 */
export async function restoreProgram(
  reaching: Reaching,
  cluster: string,
  server: string,
  version: number,
  dump: DumpVersions,
): Promise<RestoreProgram> {
  const from = Number.parseInt(dump.server, 10)
  if (version < from) {
    throw new TaskError(
      `${server} is PostgreSQL ${version}, and the dump is of PostgreSQL ${from}: an older server does not take it`,
      { next: `restore it on a server of version ${from} or newer` },
    )
  }
  const way = await wayTo(reaching, cluster, server)
  const all = await installed(way)
  const needed = Math.max(version, Number.parseInt(dump.pgDump, 10))
  const found = suitable(all, needed)
  if (found) return { ...way, ...found }
  const has = all.length === 0 ? 'no pg_restore' : `pg_restore ${all.map((one) => one.version).join(', ')}`
  throw new TaskError(
    `${way.place} has ${has}, and the dump was written by pg_dump ${dump.pgDump} for ${server}, which is ` +
      `PostgreSQL ${version}: pg_restore refuses a dump that is newer than itself`,
    { next: howToInstall(way, needed) },
  )
}

import { Readable } from 'node:stream'

import type { Primary } from '../../postgres/cluster.ts'
import { readContents } from '../../postgres/dump/contents.ts'
import type { Mark } from '../../postgres/mark.ts'
import { ask } from '../../postgres/restore/check.ts'
import { type RestoreProgram, restoreProgram } from '../../postgres/restore/programs.ts'
import { restoreDump, RestoreError } from '../../postgres/restore/restore.ts'
import {
  missingRoles,
  type Ourselves,
  readOurselves,
  rolesIn,
  strangers,
} from '../../postgres/restore/roles.ts'
import { checkRoom } from '../../postgres/restore/room.ts'
import { createScratch, type Shape } from '../../postgres/restore/scratch.ts'
import { PostgresError } from '../../postgres/server.ts'
import { TaskError } from '../../task/errors.ts'
import type { Session } from '../../task/session.ts'
import { size } from '../../task/size.ts'
import { duration } from '../../task/text.ts'
import { openPart, readPart } from '../fetch.ts'
import { dumpName, globalsName } from '../layout.ts'
import type { Part, PostgresManifest } from '../manifest.ts'
import { meter } from '../meter.ts'
import { nameOf } from '../subject.ts'
import { BadBackup, blame, type Trial } from '../verdict.ts'
import { differences } from './compare.ts'

/** What is needed to restore one backup on one server. */
export interface Rebuilding extends Trial {
  manifest: PostgresManifest
  cluster: string
  primary: Primary
  /** SQL that answers true on a copy that is good. */
  checks: readonly string[]
}

/** What was found out before anything is made. */
export interface Readiness {
  program: RestoreProgram
  /** Roles of the server that was dumped which this one does not have. */
  missing: string[]
  /** The role that we come as, and those of the dump's owners in whose place it cannot act. */
  ourselves: Ourselves
  strangers: string[]
  dump: Part
}

/**
 * Everything that can stand in the way and can be told before anything is made: versions, room, the age key.
 * @throws TaskError
 */
export async function readyToRebuild(session: Session<unknown>, work: Rebuilding): Promise<Readiness> {
  const { store, backup, manifest, identity, cluster, primary } = work
  const { server, version } = primary
  const dump = manifest.parts.find(({ name }) => name === dumpName)
  if (!dump) throw new BadBackup(`the manifest of ${backup.id} names no ${dumpName}`)
  const program = await restoreProgram(session, cluster, server.name, version, manifest.versions)
  // Nobody tells how full the disk of a managed server is.
  if (!('url' in session.estate.cluster(cluster))) await checkRoom(server, program, manifest.bytes)
  const globals = manifest.parts.find(({ name }) => name === globalsName)
  const text = globals
    ? await readPart(store, backup.prefix, globals, identity).catch(async (error: unknown) => {
        throw await blame(work, globals, error)
      })
    : ''
  return {
    program,
    missing: await missingRoles(server, rolesIn(text)),
    ourselves: await readOurselves(server),
    strangers: await strangers(server, version, [manifest.owner, ...(manifest.owners ?? [])]),
    dump,
  }
}

/**
 * Restores a backup into a new database of that name.
 * @returns how long it took until the database could be used, in milliseconds
 * @throws BadBackup, or what else went wrong; the database may be there then
 */
export async function rebuild(
  session: Session<unknown>,
  work: Rebuilding,
  { program, missing, ourselves, strangers: others, dump }: Readiness,
  { name, shape, mark, roles }: { name: string; shape: Shape; mark: Mark; roles: boolean },
): Promise<number> {
  const { store, backup, manifest, identity, primary } = work
  const { server } = primary
  const start = performance.now()
  await session.step(`Create ${name} on ${server.name}`, () => createScratch(server, name, shape, mark))
  await session.step(`Restore ${backup.id} of ${nameOf(backup.subject)} into it`, async (step) => {
    try {
      const { bytes } = dump.plain
      if (session.dryRun)
        return await restoreDump(program, name, { content: Readable.from([]), bytes }, roles)
      const told = meter(session, step, bytes)
      const content = await openPart(store, backup.prefix, dump, identity, told)
      await restoreDump(program, name, { content, bytes }, roles)
      const ms = performance.now() - start
      step.detail = `${size(manifest.bytes)} in ${duration(ms)}, ${size(bytes / (ms / 1000))}/s of dump`
    } catch (error) {
      if (session.run.signal().aborted) throw error
      throw await blame(work, dump, asBad(error))
    }
  })
  if (!roles) {
    const why =
      missing.length > 0
        ? `${server.name} does not have ${missing.join(', ')}`
        : `${ourselves.name} on ${server.name} cannot act as ${others.join(', ')}`
    session.note(`without owners and grants: ${why}`)
  }
  return Math.round(performance.now() - start)
}

function asBad(error: unknown): unknown {
  if (!(error instanceof RestoreError && error.blamesDump)) return error
  return new BadBackup(error.message, { seen: error.seen, cause: error })
}

/**
 * Compares a restored database with the manifest, and asks the inventory's questions.
 * @returns what is wrong, a line each
 * @throws TaskError when a question cannot be asked, which says nothing of the backup
 */
export async function examine({ manifest, primary, checks }: Rebuilding, name: string): Promise<string[]> {
  const { server } = primary
  const wrong = differences(manifest, await readContents(server, name))
  for (const check of checks) {
    const answer = await ask(server, name, check).catch((error: unknown) => {
      if (!(error instanceof PostgresError)) throw error
      throw new TaskError(
        `a check of ${manifest.database} could not be asked, so nothing is known: ${check}`,
        {
          seen: error.message,
          next: `correct it at backup.checks of the inventory: a query that gives one row with one column`,
          cause: error,
        },
      )
    })
    if (answer !== 'true') wrong.push(`the answer is ${answer}, and should be true: ${check}`)
  }
  return wrong
}

/** `3 tables with 1204 rows, 5 migrations, 2 checks` */
export function describeExamined({ manifest, checks }: Rebuilding): string {
  const counts = Object.values(manifest.tables)
  const rows = counts.reduce((sum, count) => sum + count, 0)
  const migrations = manifest.migrations ? [`${manifest.migrations.applied.length} migrations`] : []
  const asked = checks.length > 0 ? [`${checks.length} checks`] : []
  return [`${counts.length} tables with ${rows} rows`, ...migrations, ...asked].join(', ')
}

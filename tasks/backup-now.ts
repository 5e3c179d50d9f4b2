/**
 * Backs up databases and folders: dumps them on their machine, encrypts, stores, reads back what was stored, and
 * writes the manifest last. Changes nothing on the machines. Safe to run again: each run makes a backup of its own.
 *
 *   npx tsx tasks/backup-now.ts                          # all that the inventory has backed up
 *   npx tsx tasks/backup-now.ts --only weltenwind
 *   npx tsx tasks/backup-now.ts --quiet                  # cron: says nothing when all is well
 */
import { z } from 'zod'

import { begin, type Begun } from '../lib/backup/begin.ts'
import { describeContents, describePart, describeProgress } from '../lib/backup/describe.ts'
import { dumpToStore } from '../lib/backup/dump.ts'
import { type Failure, failuresError } from '../lib/backup/failures.ts'
import { archiveToStore, lookAtFolder } from '../lib/backup/folder.ts'
import { lastSize } from '../lib/backup/last.ts'
import { archiveName, dumpName, globalsName, manifestName } from '../lib/backup/layout.ts'
import { type CommonManifest, type Manifest, manifestText, type Part } from '../lib/backup/manifest.ts'
import { pretendToStore, type Progress, provePart, storePart } from '../lib/backup/part.ts'
import { type DatabaseSubject, type FolderSubject, nameOf } from '../lib/backup/subject.ts'
import {
  backupOf,
  checkRecipients,
  chosenSubjects,
  stepIntoStore,
  storeSecrets,
} from '../lib/backup/target.ts'
import type { Attempt, Holder } from '../lib/host/lock.ts'
import { dumpGlobals } from '../lib/postgres/dump/dump.ts'
import { lookAtDatabase } from '../lib/postgres/dump/look.ts'
import { describePrograms, programsFor } from '../lib/postgres/dump/programs.ts'
import { describeSource, findSource } from '../lib/postgres/dump/source.ts'
import { size } from '../lib/postgres/size.ts'
import type { Store } from '../lib/s3/store.ts'
import { operator } from '../lib/task/operator.ts'
import type { Session, StepHandle } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  only: z
    .array(z.string())
    .optional()
    .meta({ description: 'only this database (or cluster/database) or host:/folder', placeholder: 'NAME' }),
})
type Flags = z.output<typeof flags>

export const task = defineTask({
  name: 'backup-now',
  summary: 'Back up databases and folders to the store',
  details:
    'Each is dumped on its own machine, encrypted with age, stored, read back and compared; its manifest is written ' +
    'last and makes it a backup. One that fails does not stop the others. Safe to run again.',
  examples: [
    'npx tsx tasks/backup-now.ts',
    'npx tsx tasks/backup-now.ts --only weltenwind',
    'npx tsx tasks/backup-now.ts --quiet   # cron',
  ],
  flags,
  preflight: ({ estate, flags: { only } }) => {
    const subjects = chosenSubjects(estate, only)
    const clusters = subjects.flatMap((subject) =>
      subject.kind === 'postgres' ? [estate.cluster(subject.cluster)] : [],
    )
    return {
      problems: subjects.length === 0 ? [`${estate.file} has nothing to back up`] : [],
      secrets: [
        ...storeSecrets(backupOf(estate)),
        ...clusters.flatMap((one) => ('url' in one ? [one.url] : [])),
      ],
      // Not here, where a machine that does not answer would stop the others.
      reach: [],
    }
  },
  async run(session) {
    const subjects = chosenSubjects(session.estate, session.flags.only)
    await checkRecipients(session.estate)
    const store = await stepIntoStore(session)
    const failures: Failure[] = []
    for (const subject of subjects) {
      try {
        if (subject.kind === 'postgres') await backUpDatabase(session, store, subject)
        else await backUpFolder(session, store, subject)
      } catch (error) {
        if (session.run.signal().aborted) throw error
        failures.push({ name: nameOf(subject), error })
      }
    }
    if (failures.length > 0) throw await failuresError(failures, subjects.length, 'backed up')
  },
})

async function backUpDatabase(
  session: Session<Flags>,
  store: Store,
  subject: DatabaseSubject,
): Promise<void> {
  const { cluster, database } = subject
  const name = nameOf(subject)
  const { recipients, source: wanted } = backupOf(session.estate)
  const source = await session.step(`Find the server of ${name}`, async (step) => {
    const found = await findSource(session, cluster, wanted)
    step.title = `Server of ${name} is ${found.server.name}, ${describeSource(found)}`
    return found
  })
  for (const remark of source.remarks) session.warn(`${name}: ${remark}`)
  const { server, role, behind } = source
  await alone(
    session,
    name,
    (title, holder) => server.lock(title, holder),
    async () => {
      const { look, programs } = await session.step(`Look at ${name}`, async (step) => {
        const [seen, found] = await Promise.all([
          lookAtDatabase(server, database),
          programsFor(session, cluster, server.name, source.version),
        ])
        step.detail = `PostgreSQL ${seen.version}, ${size(seen.bytes)}; ${describePrograms(found)}`
        return { look: seen, programs: found }
      })
      if (!look.readsPasswords)
        session.note(`the passwords of roles are not backed up: our role may not read them`)
      const { at, begun } = await begin(store, session.estate.name, subject)
      if (session.dryRun) return pretendToStore(store, at, [dumpName, globalsName, manifestName])
      const last = await lastSize(store, session.estate, subject)
      const dumped = await session.step(`Dump ${name}`, async (step) => {
        const told = progressOf(session, step, last)
        const made = { programs, database, bytes: look.bytes, behind }
        const { part, contents, taken } = await dumpToStore(store, { at, recipients }, made, told)
        step.detail = `${describePart(part)}; ${describeContents(contents)}`
        return { part, contents, taken }
      })
      const globals = await session.step(`Dump the roles of ${cluster}`, () =>
        storePart(
          store,
          { at, name: globalsName, recipients },
          dumpGlobals(programs, database, look.readsPasswords),
          0,
        ),
      )
      await finish(session, store, { at, begun, name }, [dumped.part, globals], (common) => ({
        kind: 'postgres',
        cluster,
        database,
        owner: look.owner,
        source: { server: server.name, role, ...(behind === undefined ? {} : { behind }) },
        versions: { server: look.version, pgDump: programs.version },
        bytes: look.bytes,
        ...dumped.contents,
        ...common,
        taken: dumped.taken.toISOString(),
      }))
    },
  )
}

async function backUpFolder(session: Session<Flags>, store: Store, subject: FolderSubject): Promise<void> {
  const { path } = subject
  const name = nameOf(subject)
  const { recipients } = backupOf(session.estate)
  const host = (await session.hosts.get(subject.host)).as('root')
  await alone(
    session,
    name,
    (title, holder) => host.lock(title, holder),
    async () => {
      const look = await session.step(`Look at ${name}`, async (step) => {
        const seen = await lookAtFolder(host, path)
        step.detail = size(seen.bytes)
        return seen
      })
      const { at, begun } = await begin(store, session.estate.name, subject)
      if (session.dryRun) return pretendToStore(store, at, [archiveName, manifestName])
      const { part, files } = await session.step(`Archive ${name}`, async (step) => {
        const told = progressOf(session, step, look.bytes)
        const made = await archiveToStore(store, { at, recipients }, { host, path, bytes: look.bytes }, told)
        for (const warning of made.warnings) session.warn(`${name}: ${warning}`)
        step.detail = `${describePart(made.part)}; ${made.files} files`
        return made
      })
      await finish(session, store, { at, begun, name }, [part], (common) => ({
        kind: 'folder',
        host: subject.host,
        path,
        files,
        ...common,
      }))
    },
  )
}

/** No two backups of one thing at a time. A lock that is lost stops nothing: what was dumped over there ends, too. */
async function alone(
  session: Session<Flags>,
  name: string,
  take: (title: string, holder: Holder) => Promise<Attempt>,
  work: () => Promise<void>,
): Promise<void> {
  const title = `backup/${name}`
  const release = await session.lock(
    title,
    (holder) => take(title, holder),
    () => {},
  )
  try {
    await work()
  } finally {
    await release().catch(() => {})
  }
}

/** Nothing counts as a backup before it was read back. */
async function finish(
  session: Session<Flags>,
  store: Store,
  { at, begun, name }: Begun & { name: string },
  parts: Part[],
  manifest: (common: CommonManifest) => Manifest,
): Promise<void> {
  await session.prove(`Read ${name} back from the store`, async (step) => {
    for (const part of parts) await provePart(store, at, part)
    step.detail = `${parts.length === 1 ? 'its SHA-256 is' : 'their SHA-256 are'} those of what was sent`
  })
  await session.step(
    `Write the manifest of ${name}`,
    () =>
      store.writeText(
        `${at}${manifestName}`,
        manifestText(
          manifest({
            format: 1,
            estate: session.estate.name,
            by: operator(),
            begun: begun.toISOString(),
            ended: new Date().toISOString(),
            taken: begun.toISOString(),
            recipients: backupOf(session.estate).recipients,
            parts,
          }),
        ),
      ),
    async (_, step) => {
      step.detail = at
    },
  )
}

function progressOf(
  session: Session<Flags>,
  step: StepHandle,
  whole: number | undefined,
): (progress: Progress) => void {
  const start = performance.now()
  return (progress) => session.progress(step, describeProgress(progress, performance.now() - start, whole))
}

await runIfMain(import.meta, task)

/**
 * Backs up databases and folders: dumps them on their machine, encrypts, stores, reads back what was stored, and
 * writes the manifest last. Changes nothing on the machines. Safe to run again: each run makes a backup of its own.
 *
 *   npx tsx tasks/backup-now.ts                          # all that the inventory has backed up
 *   npx tsx tasks/backup-now.ts --only weltenwind
 *   npx tsx tasks/backup-now.ts --quiet                  # cron: says nothing when all is well
 */
import { z } from 'zod'

import { begin } from '../lib/backup/begin.ts'
import { dumpName, globalsName, manifestName } from '../lib/backup/layout.ts'
import { manifestText } from '../lib/backup/manifest.ts'
import { provePart, storePart } from '../lib/backup/part.ts'
import { describeProgress } from '../lib/backup/progress.ts'
import { nameOf, type Subject } from '../lib/backup/subject.ts'
import { backupOf, chosenSubjects, openStore, storeSecrets } from '../lib/backup/target.ts'
import { readContents } from '../lib/postgres/dump/contents.ts'
import { dumpDatabase, dumpGlobals } from '../lib/postgres/dump/dump.ts'
import { lookAtDatabase } from '../lib/postgres/dump/look.ts'
import { programsFor } from '../lib/postgres/dump/programs.ts'
import { Snapshot } from '../lib/postgres/dump/snapshot.ts'
import { findSource } from '../lib/postgres/dump/source.ts'
import { size } from '../lib/postgres/size.ts'
import type { Store } from '../lib/s3/store.ts'
import { operator } from '../lib/task/operator.ts'
import type { Session } from '../lib/task/session.ts'
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
    const store = await session.step('Open the store', async (step) => {
      const opened = await openStore(session)
      step.title = `Open the ${opened.name}`
      return opened
    })
    for (const subject of subjects) {
      if (subject.kind === 'postgres') await backUpDatabase(session, store, subject)
    }
  },
})

async function backUpDatabase(
  session: Session<Flags>,
  store: Store,
  subject: Subject & { kind: 'postgres' },
): Promise<void> {
  const { cluster, database } = subject
  const name = nameOf(subject)
  const { recipients, source: wanted } = backupOf(session.estate)
  const source = await session.step(`Find the server of ${name}`, async (step) => {
    const found = await findSource(session, cluster, wanted)
    step.title = `Server of ${name} is ${found.server.name}, the ${found.role}`
    return found
  })
  for (const remark of source.remarks) session.warn(`${name}: ${remark}`)
  const release = await session.lock(`backup/${name}`, (holder) =>
    source.server.lock(`backup/${name}`, holder),
  )
  try {
    const { look, programs } = await session.step(`Look at ${name}`, async (step) => {
      const [seen, found] = await Promise.all([
        lookAtDatabase(source.server, database),
        programsFor(session, cluster, source.server.name, source.version),
      ])
      step.detail = `PostgreSQL ${seen.version}, ${size(seen.bytes)}; pg_dump ${found.version} on ${found.host.name}`
      return { look: seen, programs: found }
    })
    const { at, begun } = await begin(store, session.estate.name, subject)
    const dumped = await session.step(`Dump ${name}`, async (step) => {
      const start = performance.now()
      const snapshot = await Snapshot.take(programs, database)
      try {
        const dump = dumpDatabase(programs, database, snapshot.id)
        const [part, contents] = await Promise.all([
          storePart(store, { at, name: dumpName, recipients }, dump, look.bytes, (progress) =>
            session.progress(step, describeProgress(progress, performance.now() - start, undefined)),
          ),
          readContents(snapshot),
        ])
        step.detail = `${size(part.plain.bytes)}, ${Object.keys(contents.tables).length} tables`
        return { part, contents, taken: snapshot.taken }
      } finally {
        await snapshot.close()
      }
    })
    const globals = await session.step(`Dump the roles of ${cluster}`, () =>
      storePart(
        store,
        { at, name: globalsName, recipients },
        dumpGlobals(programs, database, look.readsPasswords),
        0,
      ),
    )
    const parts = [dumped.part, globals]
    await session.prove(`Read ${name} back from the store`, async () => {
      for (const part of parts) await provePart(store, at, part)
    })
    await session.step(`Write the manifest of ${name}`, () =>
      store.writeText(
        `${at}${manifestName}`,
        manifestText({
          format: 1,
          kind: 'postgres',
          estate: session.estate.name,
          by: operator(),
          begun: begun.toISOString(),
          ended: new Date().toISOString(),
          taken: dumped.taken.toISOString(),
          recipients,
          cluster,
          database,
          owner: look.owner,
          source: {
            server: source.server.name,
            role: source.role,
            ...(source.behind === undefined ? {} : { behind: source.behind }),
          },
          versions: { server: look.version, pgDump: programs.version },
          bytes: look.bytes,
          ...dumped.contents,
          parts,
        }),
      ),
    )
  } finally {
    await release()
  }
}

await runIfMain(import.meta, task)

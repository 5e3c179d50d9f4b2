import { dumpGlobals } from '../../postgres/dump/dump.ts'
import { lookAtDatabase } from '../../postgres/dump/look.ts'
import { describePrograms, programsFor } from '../../postgres/dump/programs.ts'
import { describeSource, findSource } from '../../postgres/dump/source.ts'
import type { Store } from '../../s3/store.ts'
import type { Session } from '../../task/session.ts'
import { size } from '../../task/size.ts'
import { begin } from '../begin.ts'
import { describeContents, describePart } from '../describe.ts'
import { lastSize } from '../last.ts'
import { dumpName, globalsName, manifestName } from '../layout.ts'
import { alone, finish, progressOf } from '../making.ts'
import { pretendToStore, storePart } from '../part.ts'
import { type DatabaseSubject, nameOf } from '../subject.ts'
import { backupOf } from '../target.ts'
import { dumpToStore } from './dump.ts'

export async function backUpDatabase(
  session: Session<unknown>,
  store: Store,
  subject: DatabaseSubject,
): Promise<void> {
  const { cluster, database } = subject
  const name = nameOf(subject)
  const { recipients, source: wanted } = backupOf(session.estate)
  const source = await session.step(`Find the server of ${name}`, async (step) => {
    const found = await findSource(session, cluster, wanted ?? 'primary')
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
        const { part, contents, taken } = await dumpToStore(store, { at, recipients }, made, told, (why) =>
          session.note(`${name}: ${why}`),
        )
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
        owners: look.owners,
        properties: look.properties,
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

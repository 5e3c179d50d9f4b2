import { describeCollections } from '../../mongo/collections.ts'
import { lookAtDatabase } from '../../mongo/look.ts'
import { toolVersion } from '../../mongo/programs.ts'
import { describeSource, findSource } from '../../mongo/source.ts'
import type { Store } from '../../s3/store.ts'
import type { Session } from '../../task/session.ts'
import { size } from '../../task/size.ts'
import { begin } from '../begin.ts'
import { describePart } from '../describe.ts'
import { lastSize } from '../last.ts'
import { manifestName, mongoArchiveName } from '../layout.ts'
import { alone, finish, progressOf } from '../making.ts'
import { pretendToStore } from '../part.ts'
import { type MongoSubject, nameOf } from '../subject.ts'
import { backupOf } from '../target.ts'
import { archiveToStore } from './archive.ts'

export async function backUpMongo(
  session: Session<unknown>,
  store: Store,
  subject: MongoSubject,
): Promise<void> {
  const { cluster, database } = subject
  const name = nameOf(subject)
  const { recipients, source: wanted } = backupOf(session.estate)
  const source = await session.step(`Find the member of ${name}`, async (step) => {
    const found = await findSource(session, cluster, wanted ?? 'standby')
    step.title = `Member of ${name} is ${found.server.name}, ${describeSource(found)}`
    return found
  })
  for (const remark of source.remarks) session.warn(`${name}: ${remark}`)
  const { server, role, behind } = source
  await alone(
    session,
    name,
    (title, holder) => server.lock(title, holder),
    async () => {
      const { bytes, mongodump } = await session.step(`Look at ${name}`, async (step) => {
        const version = await toolVersion(server.host, 'mongodump')
        const seen = await lookAtDatabase(server, database)
        step.detail = `MongoDB ${source.version}, ${size(seen)}; mongodump ${version}`
        return { bytes: seen, mongodump: version }
      })
      const { at, begun } = await begin(store, session.estate.name, subject)
      if (session.dryRun) return pretendToStore(store, at, [mongoArchiveName, manifestName])
      const last = await lastSize(store, session.estate, subject)
      const { part, collections } = await session.step(`Dump ${name}`, async (step) => {
        const told = progressOf(session, step, last)
        const made = await archiveToStore(store, { at, recipients }, { server, database, bytes }, told)
        step.detail = `${describePart(made.part)}; ${describeCollections(made.collections)}`
        return made
      })
      await finish(session, store, { at, begun, name }, [part], (common) => ({
        kind: 'mongo',
        cluster,
        database,
        source: { server: server.name, role, ...(behind === undefined ? {} : { behind }) },
        versions: { server: source.version, mongodump },
        bytes,
        collections,
        ...common,
        // Nothing in it is older than that.
        taken: new Date(begun.getTime() - (behind ?? 0) * 1000).toISOString(),
      }))
    },
  )
}

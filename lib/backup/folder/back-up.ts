import type { Store } from '../../s3/store.ts'
import type { Session } from '../../task/session.ts'
import { size } from '../../task/size.ts'
import { begin } from '../begin.ts'
import { describePart } from '../describe.ts'
import { archiveName, manifestName } from '../layout.ts'
import { alone, finish, progressOf } from '../making.ts'
import { pretendToStore } from '../part.ts'
import { type FolderSubject, nameOf } from '../subject.ts'
import { backupOf } from '../target.ts'
import { archiveToStore, lookAtFolder } from './archive.ts'

export async function backUpFolder(
  session: Session<unknown>,
  store: Store,
  subject: FolderSubject,
): Promise<void> {
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
        bytes: look.bytes,
        tar: look.tar,
        ...common,
      }))
    },
  )
}

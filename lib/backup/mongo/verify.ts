import { readCollections } from '../../mongo/collections.ts'
import { dropLeftovers, insistOnDrop } from '../../mongo/drop.ts'
import { findPrimary } from '../../mongo/members.ts'
import { createScratch, scratchName } from '../../mongo/scratch.ts'
import type { Standing } from '../../mongo/standing.ts'
import type { Store } from '../../s3/store.ts'
import type { Session } from '../../task/session.ts'
import { size } from '../../task/size.ts'
import { mongoManifest, toVerify } from '../choose.ts'
import { pickBackup } from '../pick.ts'
import { withScratch } from '../scratch.ts'
import { type MongoSubject, nameOf } from '../subject.ts'
import { identityOf } from '../target.ts'
import { approve, condemn, judge } from '../verdict.ts'
import { describeExamined, examine, readyToRebuild, rebuild } from './rebuild.ts'

/** Restores a backup into a scratch database of the same replica set, which does not outlive it, and records what came of it. */
export async function verifyMongo(
  session: Session<{ backup?: string | undefined }>,
  store: Store,
  subject: MongoSubject,
): Promise<void> {
  const { database } = subject
  const name = nameOf(subject)
  const backup = await pickBackup(session, store, subject, toVerify)
  const manifest = mongoManifest(backup)
  const primary = await stepToPrimary(session, subject.cluster)
  const { server } = primary
  const title = `backup-verify/${name}`
  const release = await session.lock(title, (holder) => server.lock(title, holder))
  try {
    await dropLeftovers(session, server, database)
    const work = { store, backup, manifest, identity: identityOf(session.estate), on: server.name, primary }
    const scratch = scratchName(database, new Date())
    const ready = await session.step(`Look whether ${server.name} can take it`, async (step) => {
      const found = await readyToRebuild(work).catch((error: unknown) => judge(work, 0, error))
      step.detail = `mongorestore ${found.version}, ${size(manifest.bytes)} to restore`
      return found
    })
    for (const remark of ready.remarks) session.warn(`${name}: ${remark}`)
    const drop = (): Promise<void> => insistOnDrop(server, scratch)
    const { restoreMs, wrong } = await withScratch(
      session,
      { name: scratch, on: server.name, drop },
      async () => {
        const start = performance.now()
        await session.step(`Create ${scratch} on ${server.name}`, () => createScratch(server, scratch))
        const renamings = [{ from: `${manifest.database}.*`, to: `${scratch}.*` }]
        const ms = await rebuild(session, work, ready, { into: scratch, renamings }).catch((error: unknown) =>
          judge(work, Math.round(performance.now() - start), error),
        )
        const found: string[] = []
        await session.prove(`Compare it with the manifest`, async (step) => {
          found.push(...examine(work, await readCollections(server, scratch)))
          step.detail = found.length === 0 ? describeExamined(work) : `${found.length} differences`
        })
        return { restoreMs: ms, wrong: found }
      },
    )
    if (wrong.length > 0) await condemn(work, restoreMs, wrong)
    await session.step(`Record that ${backup.id} of ${name} is good`, async (step) => {
      const said = await approve(work, restoreMs, describeExamined(work))
      if (!session.dryRun) step.detail = said
    })
  } finally {
    await release()
  }
}

/** A step that finds who takes writes, and tells who did not answer. */
export async function stepToPrimary(session: Session<unknown>, cluster: string): Promise<Standing> {
  const { primary, silent } = await session.step(`Find the primary of ${cluster}`, async (step) => {
    const found = await findPrimary(session, cluster)
    step.title = `Primary of ${cluster} is ${found.primary.server.name}`
    return found
  })
  for (const one of silent) session.warn(`no answer: ${one}`)
  return primary
}

import { readDatabases } from '../../postgres/catalog.ts'
import { findPrimary } from '../../postgres/cluster.ts'
import { dropLeftovers, insistOnDrop } from '../../postgres/restore/drop.ts'
import { checkLocale } from '../../postgres/restore/locale.ts'
import { scratchName, shapeOf } from '../../postgres/restore/scratch.ts'
import { noSettings } from '../../postgres/settings.ts'
import type { Store } from '../../s3/store.ts'
import type { Session } from '../../task/session.ts'
import { size } from '../../task/size.ts'
import { postgresManifest, toVerify } from '../choose.ts'
import { pickBackup } from '../pick.ts'
import { withScratch } from '../scratch.ts'
import { type DatabaseSubject, nameOf } from '../subject.ts'
import { checksOf, identityOf, localeOf, scratchClusterOf } from '../target.ts'
import { approve, condemn, judge } from '../verdict.ts'
import { describeExamined, examine, readyToRebuild, rebuild } from './rebuild.ts'

/** Restores a backup into a scratch database, which does not outlive it, and records what came of it. */
export async function verifyDatabase(
  session: Session<{ backup?: string | undefined }>,
  store: Store,
  subject: DatabaseSubject,
): Promise<void> {
  const { estate } = session
  const { database } = subject
  const name = nameOf(subject)
  const backup = await pickBackup(session, store, subject, toVerify)
  const manifest = postgresManifest(backup)
  const cluster = scratchClusterOf(estate, subject)
  const primary = await session.step(`Find the primary of ${cluster}`, async (step) => {
    const found = await findPrimary(session, cluster)
    step.title = `Primary of ${cluster} is ${found.server.name}`
    return found
  })
  for (const silent of primary.silent) session.warn(`no answer: ${silent}`)
  const { server } = primary
  const title = `backup-verify/${database}`
  const release = await session.lock(title, (holder) => server.lock(title, holder))
  try {
    await dropLeftovers(session, server, database, 'verify')
    const work = {
      store,
      backup,
      manifest,
      identity: identityOf(estate),
      on: server.name,
      cluster,
      primary,
      checks: checksOf(estate, subject),
    }
    const { ready, shape, scratch } = await session.step(
      `Look whether ${server.name} can take it`,
      async (step) => {
        const found = await readyToRebuild(session, work).catch((error: unknown) => judge(work, 0, error))
        const all = await readDatabases(server)
        const isOwnerThere = ![...found.missing, ...found.strangers].includes(manifest.owner)
        const owner = isOwnerThere ? manifest.owner : found.ourselves.name
        const like = shapeOf(all, database, owner, {
          properties: manifest.properties,
          locale: localeOf(estate, cluster),
        })
        if (!('url' in estate.cluster(cluster))) await checkLocale(found.program, like)
        step.detail = `pg_restore ${found.program.version}, ${size(manifest.bytes)} to restore`
        return {
          ready: found,
          shape: { like: { ...like, owner, connectionLimit: -1 }, settings: noSettings },
          scratch: scratchName(database, 'verify', new Date()),
        }
      },
    )
    const drop = (): Promise<void> => insistOnDrop(server, scratch)
    const { restoreMs, wrong } = await withScratch(
      session,
      { name: scratch, on: server.name, drop },
      async () => {
        const start = performance.now()
        const roles = ready.missing.length === 0 && ready.strangers.length === 0
        const ms = await rebuild(session, work, ready, {
          name: scratch,
          shape,
          mark: { scratch: 'verify' },
          roles,
        }).catch((error: unknown) => judge(work, Math.round(performance.now() - start), error))
        const found: string[] = []
        await session.prove(`Compare it with the manifest`, async (step) => {
          found.push(...(await examine(work, scratch)))
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

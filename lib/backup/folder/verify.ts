import { posix } from 'node:path'

import type { Host } from '../../host/host.ts'
import type { Store } from '../../s3/store.ts'
import type { Session } from '../../task/session.ts'
import { folderManifest, toVerify } from '../choose.ts'
import { pickBackup } from '../pick.ts'
import { withScratch } from '../scratch.ts'
import { type FolderSubject, nameOf } from '../subject.ts'
import { identityOf, scratchFolderOf } from '../target.ts'
import { approve, judge } from '../verdict.ts'
import { checkPlaceRoom, lookAtPlace } from './place.ts'
import { describeFolder, examineFolder, rebuildFolder, roomFor, tryArchive } from './rebuild.ts'
import { dropLeftovers, dropScratch, scratchPath } from './scratch.ts'

/** Unpacks a backup into a scratch folder on its machine, which does not outlive it, and records what came of it. */
export async function verifyFolder(
  session: Session<{ backup?: string | undefined }>,
  store: Store,
  subject: FolderSubject,
): Promise<void> {
  const { estate } = session
  const name = nameOf(subject)
  const backup = await pickBackup(session, store, subject, toVerify)
  const host = (await session.hosts.get(subject.host)).as('root')
  const work = {
    store,
    backup,
    manifest: folderManifest(backup),
    identity: identityOf(estate),
    on: host.name,
    host,
  }
  const title = `backup-verify/${name}`
  const release = await session.lock(title, (holder) => host.lock(title, holder))
  try {
    const base = await session.step(`Look whether ${host.name} can take it`, async (step) => {
      await tryArchive(work).catch((error: unknown) => judge(work, 0, error))
      const found = await baseFor(host, subject, scratchFolderOf(estate, subject))
      step.detail = `${describeFolder(work)} to unpack beside ${found}`
      return found
    })
    await dropLeftovers(session, host, base, 'verify')
    checkPlaceRoom(
      host.name,
      await lookAtPlace(host, base),
      roomFor(work),
      '; or let "scratch" of this folder in the inventory name another disk',
    )
    const scratch = scratchPath(base, 'verify', new Date())
    const drop = (): Promise<void> => dropScratch(host, scratch)
    const { restoreMs, found } = await withScratch(
      session,
      { name: scratch, on: host.name, drop },
      async () => {
        const start = performance.now()
        const unpacked = await rebuildFolder(session, work, scratch).catch((error: unknown) =>
          judge(work, Math.round(performance.now() - start), error),
        )
        const compared = await examineFolder(session, work, scratch, unpacked.warnings)
        return { restoreMs: unpacked.restoreMs, found: compared }
      },
    )
    await session.step(`Record that ${backup.id} of ${name} is good`, async (step) => {
      const said = await approve(work, restoreMs, found)
      if (!session.dryRun) step.detail = said
    })
  } finally {
    await release()
  }
}

/** What a scratch is named after: the folder, where that would be beside it; elsewhere with all of its path. */
async function baseFor(host: Host, { path }: FolderSubject, wanted: string | undefined): Promise<string> {
  const { real, above } = await lookAtPlace(host, wanted === undefined ? path : posix.join(wanted, '_'))
  if (wanted === undefined && posix.dirname(real) === above) return real
  return posix.join(above, encodeURIComponent(path))
}

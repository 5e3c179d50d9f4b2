import type { Host } from '../../host/host.ts'
import type { Store } from '../../s3/store.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import type { Session } from '../../task/session.ts'
import { size } from '../../task/size.ts'
import { describeBackup, folderManifest, toRestore } from '../choose.ts'
import { pickBackup } from '../pick.ts'
import type { RestoreFlags } from '../restore-flags.ts'
import { describeRestored, restoredData } from '../restored.ts'
import { type FolderSubject, nameOf } from '../subject.ts'
import { identityOf, stepIntoStore } from '../target.ts'
import { approve, judge } from '../verdict.ts'
import { checkPlaceRoom, checkRename, identityOfFolder, lookAtPlace, type Place } from './place.ts'
import {
  describeFolder,
  examineFolder,
  type FolderTrial,
  rebuildFolder,
  roomFor,
  tryArchive,
} from './rebuild.ts'
import { contentOf, dropLeftovers, dropScratch, scratchPath } from './scratch.ts'
import { keptPath, newestKept, swapFolders } from './swap.ts'
import { type FolderTarget, folderTarget } from './target.ts'
import { usersOf } from './users.ts'

/**
 * Brings a folder back beside the present one, and gives it the name when it is proven; or, with `--undo`, puts the one
 * before the restore back.
 */
export async function restoreFolder(session: Session<RestoreFlags>, subject: FolderSubject): Promise<void> {
  const target = folderTarget(session.estate, subject, session.flags)
  const name = nameOf({ kind: 'folder', ...target })
  const host = (await session.hosts.get(target.host)).as('root')
  await session.lock(`folder/${name}`, (holder) => host.lock(`folder/${name}`, holder))
  if (session.flags.undo) await undo(session, host, target, name)
  else await restore(session, host, subject, target, name)
}

async function restore(
  session: Session<RestoreFlags>,
  host: Host,
  subject: FolderSubject,
  target: FolderTarget,
  name: string,
): Promise<void> {
  const store = await stepIntoStore(session)
  const work = await chooseBackup(session, store, host, subject, name)
  const { place, users } = await lookAt(session, host, target, name)
  await tryArchive(work).catch((error: unknown) => judge(work, 0, error))
  const { real } = place
  session.note(`source: ${describeBackup(work.backup, new Date())}; ${describeFolder(work)}`)
  session.note(`target: ${name}, ${target.environment}: ${describePlace(place)}`)
  const aside = place.there === 'a folder' ? keptPath(real, new Date()) : undefined
  if (aside !== undefined) {
    session.note(`it will be kept as ${aside}`)
    await session.confirm(name, `This replaces ${name} by what it was at ${work.manifest.taken}.`)
  }
  const start = performance.now()
  await dropLeftovers(session, host, real, 'restore')
  checkPlaceRoom(host.name, await lookAtPlace(host, real), roomFor(work))
  await makeParent(session, host, place)
  const scratch = scratchPath(real, 'restore', new Date())
  try {
    const { restoreMs, warnings } = await rebuildFolder(session, work, scratch).catch((error: unknown) =>
      judge(work, Math.round(performance.now() - start), error),
    )
    const found = await examineFolder(session, work, scratch, warnings)
    await session.step('Record that it could be restored', async (step) => {
      await approve(work, restoreMs, found).catch((error: unknown) => {
        step.detail = `it is not recorded: ${error instanceof Error ? error.message : String(error)}`
      })
    })
    await swap(session, host, contentOf(scratch), real, aside)
  } catch (error) {
    await session.recover(error, {
      title: `Leave ${real} as it was`,
      next: 'run it again: it drops what is left',
      work: async (step) => {
        step.title = await leaveAsItWas(session, host, place, scratch)
        return step.title
      },
    })
  }
  await session.step(`Remove ${scratch}`, () => dropScratch(host, scratch))
  const report = {
    rtoMs: Math.round(performance.now() - start),
    rpoMs: Date.now() - Date.parse(work.manifest.taken),
  }
  if (session.dryRun) return
  warnOfUsers(session, host, users)
  session.show('backup-restored', restoredData(work, report), describeRestored(work, report))
  if (aside !== undefined) {
    session.note(
      `put the old one back: ${undoCommand(session, name, target)}\nor remove it, on ${host.name}: rm -rf ${aside}`,
    )
  }
}

async function chooseBackup(
  session: Session<RestoreFlags>,
  store: Store,
  host: Host,
  subject: FolderSubject,
  target: string,
): Promise<FolderTrial> {
  const backup = await pickBackup(session, store, subject, toRestore)
  const on = target === nameOf(subject) ? host.name : target
  return { store, backup, manifest: folderManifest(backup), identity: identityOf(session.estate), on, host }
}

/** @throws TaskError when it cannot take the folder's place, or is production and nobody said that it may */
async function lookAt(
  session: Session<RestoreFlags>,
  host: Host,
  { path, environment }: FolderTarget,
  name: string,
): Promise<{ place: Place; users: string[] }> {
  return session.step(`Look at ${name}`, async (step) => {
    const place = await lookAtPlace(host, path)
    checkRename(host.name, path, place)
    if (place.there === 'a folder' && environment === 'production' && session.flags.confirm !== name) {
      throw new TaskError(`${name} is a production folder; if you mean it, say so with --confirm ${name}`, {
        code: exitCode.usage,
      })
    }
    const users = place.there === 'nothing' ? [] : await usersOf(host, place.real)
    if (users.length > 0) session.warn(`in use by ${users.join(', ')}`)
    step.detail = describePlace(place)
    return { place, users }
  })
}

async function makeParent(session: Session<RestoreFlags>, host: Host, { real, above }: Place): Promise<void> {
  const parent = real.slice(0, real.lastIndexOf('/')) || '/'
  if (parent === above) return
  await session.step(`Make ${parent} on ${host.name}`, async () => {
    await host.change`mkdir -p -m 755 -- ${parent}`
  })
}

/** @returns where things stand then */
async function leaveAsItWas(
  session: Session<RestoreFlags>,
  host: Host,
  { real, there, identity }: Place,
  scratch: string,
): Promise<string> {
  await dropScratch(host, scratch)
  const removed = `${scratch} is removed`
  const found = session.dryRun ? identity : await identityOfFolder(host, real)
  if (found === identity)
    return there === 'nothing'
      ? `there is no ${real}, and ${removed}`
      : `${real} is as it was, and ${removed}`
  return found === undefined
    ? `there is no ${real}: --undo brings it back; ${removed}`
    : `${real} is restored, and ${removed}`
}

async function swap(
  session: Session<RestoreFlags>,
  host: Host,
  from: string,
  to: string,
  aside: string | undefined,
): Promise<void> {
  const wanted = session.dryRun ? undefined : await identityOfFolder(host, from)
  await session.step(
    `Give it the name ${to}`,
    () => swapFolders(host, { from, to, aside }),
    async () => {
      if ((await identityOfFolder(host, to)) === wanted) return
      throw new TaskError(`${to} on ${host.name} is another folder than the one that was put there`)
    },
  )
}

/** What is there now is kept in the same way. */
async function undo(
  session: Session<RestoreFlags>,
  host: Host,
  target: FolderTarget,
  name: string,
): Promise<void> {
  const { place, users } = await lookAt(session, host, target, name)
  const { real } = place
  const kept = await session.step(`Look for the old ${name}`, () => newestKept(host, real))
  const aside = place.there === 'a folder' ? keptPath(real, new Date()) : undefined
  if (aside !== undefined) {
    session.note(`${kept} becomes ${real}; what is ${real} now is kept as ${aside}`)
    await session.confirm(name, `This takes the present ${name} out of use.`)
  }
  await swap(session, host, kept, real, aside)
  warnOfUsers(session, host, users)
}

function warnOfUsers(session: Session<RestoreFlags>, host: Host, users: readonly string[]): void {
  if (users.length === 0) return
  session.warn(`these still use the old folder, restart them on ${host.name}: ${users.join(', ')}`)
}

function undoCommand(session: Session<RestoreFlags>, name: string, { environment }: FolderTarget): string {
  const { folder = '', into } = session.flags
  return session.command('backup-restore', [
    '--folder',
    folder,
    ...(into === undefined ? [] : ['--into', into]),
    '--undo',
    ...(environment === 'production' ? ['--confirm', name] : []),
  ])
}

function describePlace({ there, real, above, free }: Place): string {
  const is = there === 'nothing' ? 'it is not there, and will be made' : `${real} is ${there}`
  return `${is}; ${size(free)} free in ${above}`
}

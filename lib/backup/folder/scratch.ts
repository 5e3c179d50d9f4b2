import type { Host } from '../../host/host.ts'
import type { Session } from '../../task/session.ts'
import { stampOf } from '../layout.ts'

/**
 * Why a scratch is made: to be looked at, or to become the folder. Each is dropped by the task that made it, or by the
 * next run of that task.
 */
export type ScratchKind = 'verify' | 'restore'

/** It says that a scratch is ours. */
const mark = '.hausmeister'

/** Beside the folder, so that it can take its place: `/srv/uploads__verify_20261128T040000Z`. */
export function scratchPath(folder: string, kind: ScratchKind, now: Date): string {
  return `${folder}__${kind}_${stampOf(now)}`
}

/** Where the folder is unpacked. Around it nobody else can look in, whatever its own rights are. */
export function contentOf(scratch: string): string {
  return `${scratch}/content`
}

export async function makeScratch(host: Host, scratch: string): Promise<void> {
  await host.change`
    mkdir -m 700 -- ${scratch}
    : > ${scratch}/${mark}
    mkdir -m 700 -- ${contentOf(scratch)}`
}

/** The mark goes last. What somebody has mounted inside of it is not touched, and makes this fail. */
export async function dropScratch(host: Host, scratch: string): Promise<void> {
  await host.change`
    rm -rf --one-file-system -- ${contentOf(scratch)}
    rm -rf --one-file-system -- ${scratch}`
}

/** Drops what runs before this one have left. The lock that all of them take must be held. */
export async function dropLeftovers(
  session: Session<unknown>,
  host: Host,
  folder: string,
  kind: ScratchKind,
): Promise<void> {
  const { ours, others } = await leftovers(host, folder, kind)
  for (const scratch of ours) {
    await session.step(`Drop ${scratch}, which a run that was cut off has left`, () =>
      dropScratch(host, scratch),
    )
  }
  for (const path of others) {
    session.warn(`${path} on ${host.name} does not bear our mark, so it stays: remove it by hand`)
  }
}

/** An empty one was cut off before it got its mark. */
export async function leftovers(
  host: Host,
  folder: string,
  kind: ScratchKind,
): Promise<{ ours: string[]; others: string[] }> {
  const { stdout } = await host.read`
    for path in ${`${folder}__${kind}_`}[0-9]*T[0-9]*Z; do
      if [ ! -d "$path" ] || [ -L "$path" ]; then continue; fi
      if [ -f "$path/"${mark} ] || [ -z "$(ls -A -- "$path")" ]; then echo "ours $path"; else echo "other $path"; fi
    done`
  const lines = stdout.split('\n')
  const those = (word: string): string[] =>
    lines.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []))
  return { ours: those('ours'), others: those('other') }
}

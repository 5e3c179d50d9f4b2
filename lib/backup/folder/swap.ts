import type { Host } from '../../host/host.ts'
import { TaskError } from '../../task/errors.ts'
import { stampOf, timeOf } from '../layout.ts'

const kept = '__before_restore_'

/** The name under which a restore puts a folder aside. */
export function keptPath(folder: string, now: Date): string {
  return `${folder}${kept}${stampOf(now)}`
}

/** The newest folder that a restore, or its undoing, has put aside. @throws TaskError when there is none */
export async function newestKept(host: Host, folder: string): Promise<string> {
  const { stdout } = await host.read`
    for path in ${`${folder}${kept}`}*; do if [ -d "$path" ]; then printf '%s\n' "$path"; fi; done`
  const all = stdout.split('\n').filter((path) => timeOf(path.slice(folder.length + kept.length)))
  const newest = all.toSorted().at(-1)
  if (newest !== undefined) return newest
  throw new TaskError(`there is no kept copy of ${folder} on ${host.name}; nothing was changed`)
}

/**
 * Gives a folder another one's place, which is put aside, when all of the new one is on the disk. Between the two renames
 * there is no folder of that name; whoever ends us does not end this.
 * @param aside undefined when there is nothing, or an empty folder, which vanishes
 */
export async function swapFolders(
  host: Host,
  { from, to, aside }: { from: string; to: string; aside: string | undefined },
): Promise<void> {
  await host.change({ uncancelled: true })`
    trap '' TERM HUP INT PIPE
    aside=${aside ?? ''}
    if [ "$aside" ] && [ -e "$aside" ]; then echo "$aside is there already" >&2; exit 1; fi
    sync --file-system -- ${from}
    if [ "$aside" ]; then mv -T -- ${to} "$aside"; fi
    if ! mv -T -- ${from} ${to}; then
      if [ "$aside" ]; then mv -T -- "$aside" ${to}; fi
      exit 1
    fi
    sync --file-system -- ${to}`
}

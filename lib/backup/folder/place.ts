import type { Host } from '../../host/host.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import { size } from '../../task/size.ts'

/** A place on a machine where a folder is, or is to be. */
export interface Place {
  /** Where the path leads when all links are followed. */
  real: string
  /** How the machine knows what is there, whatever its name; undefined: nothing. */
  identity: string | undefined
  there: 'nothing' | 'an empty folder' | 'a folder' | 'no folder'
  /** The nearest folder above it that is there. */
  above: string
  /** Of the file system of `above`. Bytes. */
  free: number
  /** Names that it still takes; undefined where that has no limit. */
  freeNames: number | undefined
  /** What is mounted there, and below it. */
  mounts: string[]
}

export async function lookAtPlace(host: Host, path: string): Promise<Place> {
  const { stdout } = await host.read`
    real=$(readlink -m -- ${path})
    above=$real
    until above=$(dirname -- "$above"); [ -d "$above" ]; do :; done
    if [ ! -e "$real" ]; then there=nothing
    elif [ ! -d "$real" ]; then there='no folder'
    elif [ -z "$(ls -A -- "$real")" ]; then there='an empty folder'
    else there='a folder'; fi
    printf '%s\n' "$real" "$there" "$above"
    df -B1 --output=avail,iavail -- "$above" | tail -n 1
    cat /proc/self/mountinfo`
  const [real = '', there = '', above = '', room = '', ...lines] = stdout.split('\n')
  const [free = '', names = ''] = room.trim().split(/ +/)
  const below = real === '/' ? '/' : `${real}/`
  const mounts = mountsIn(lines).filter((mount) => mount === real || mount.startsWith(below))
  return {
    real,
    identity: await identityOfFolder(host, real),
    there: kindOf(there),
    above,
    free: Number(free),
    // File systems that make room for names as they need it say 0 or -.
    freeNames: Number(names) > 0 ? Number(names) : undefined,
    mounts: [...new Set(mounts)],
  }
}

/** Device and inode; undefined when there is no such folder. */
export async function identityOfFolder(host: Host, path: string): Promise<string | undefined> {
  const { stdout } = await host.read`stat -c %d:%i -- ${path} 2> /dev/null || true`
  return stdout.trim() || undefined
}

function kindOf(word: string): Place['there'] {
  if (word === 'nothing' || word === 'an empty folder' || word === 'a folder') return word
  return 'no folder'
}

/** Of proc_pid_mountinfo(5); blanks in a path are written as octal numbers. */
function mountsIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const mount = line.split(' ')[4]
    return mount === undefined
      ? []
      : [
          mount.replaceAll(/\\([0-7]{3})/g, (_, code: string) =>
            String.fromCharCode(Number.parseInt(code, 8)),
          ),
        ]
  })
}

/** Room for a folder beside another one. @throws TaskError */
export function checkPlaceRoom(
  host: string,
  { above, free, freeNames }: Pick<Place, 'above' | 'free' | 'freeNames'>,
  needed: { bytes: number; files: number },
  otherwise = '',
): void {
  if (free < needed.bytes) {
    throw new TaskError(
      `${above} on ${host} has ${size(free)} free, and the folder needs ${size(needed.bytes)}`,
      {
        next: `make room on ${host}: df -h ${above}${otherwise}`,
      },
    )
  }
  if (freeNames !== undefined && freeNames < needed.files) {
    throw new TaskError(
      `the file system of ${above} on ${host} takes ${freeNames} more files, and the folder has ${needed.files}`,
      { next: `make room on ${host}: df -i ${above}${otherwise}` },
    )
  }
}

/** A folder is restored by a rename, which works neither on a mount point nor for what is mounted below. @throws TaskError */
export function checkRename(host: string, path: string, { real, there, mounts }: Place): void {
  if (real === '/') throw new TaskError('/ cannot be replaced by a rename', { code: exitCode.usage })
  if (there === 'no folder') {
    throw new TaskError(`${path} on ${host} is no folder`, {
      next: `see what it is, on ${host}: ls -ld ${real}`,
    })
  }
  if (mounts.length === 0) return
  const isOne = mounts.includes(real)
  throw new TaskError(
    isOne
      ? `${real} on ${host} is a mount point, which cannot be renamed`
      : `below ${real} on ${host} something is mounted, which would stay with the old folder: ${mounts.join(', ')}`,
    {
      next: isOne
        ? `restore it into a folder on that disk: --into ${host}:${real}/restored; or unmount it first: umount ${real}`
        : `unmount it first: umount ${mounts.toReversed().join(' ')}`,
    },
  )
}

import type { ShellOptions, ShellResult } from './shell.ts'

type Inside = (script: string, options?: ShellOptions) => Promise<ShellResult>

/** A path that stands in a script of ours as it is. */
function checked(path: string): string {
  if (!/^\/[\w./-]+$/.test(path))
    throw new Error(`path ${JSON.stringify(path)}: absolute, of letters, digits, . _ - and /`)
  return path
}

/**
 * Puts what is at the path onto a disk of its own of the given size ("200M"), so that it can run full.
 * Stop what has files open there first. The disk is lost when the plug is pulled: then the path is as it was before.
 */
export async function limitDisk(inside: Inside, path: string, size: string): Promise<void> {
  if (!/^\d+[KMG]$/.test(size)) throw new Error(`size ${JSON.stringify(size)}: a number and K, M or G`)
  const at = checked(path)
  await inside(`set -eu
mkdir -p ${at}
if mountpoint -q ${at}; then echo "${at} is a disk of its own already" >&2; exit 1; fi
new=$(mktemp -d)
mount -t tmpfs -o size=${size},mode=$(stat -c %a ${at}) tmpfs "$new"
chown --reference=${at} "$new"
cp -a ${at}/. "$new"/ || { umount "$new"; rmdir "$new"; exit 1; }
mount --bind "$new" ${at}
umount "$new"
rmdir "$new"`)
}

/** Brings what is on the small disk back onto the host's own. Stop what has files open there first. */
export async function unlimitDisk(inside: Inside, path: string): Promise<void> {
  const at = checked(path)
  await inside(`set -eu
new=$(mktemp -d)
mount --bind ${at} "$new"
umount ${at}
find ${at} -mindepth 1 -delete
cp -a "$new"/. ${at}/
umount "$new"
rmdir "$new"`)
}

/** Fills the file system at the path with one file until `leave` bytes are free. Returns the file; removing it frees them. */
export async function fillDisk(inside: Inside, path: string, leave = 0): Promise<string> {
  const at = checked(path)
  const file = `${at}/.lab-filler`
  await inside(`set -eu
free=$(($(stat -f -c '%a * %S' ${at}) - ${leave}))
if [ "$free" -gt 4294967296 ]; then echo "${at} has $free bytes free: give it a small disk first" >&2; exit 1; fi
if [ "$free" -gt 0 ]; then fallocate -l "$free" ${file}; fi`)
  return file
}

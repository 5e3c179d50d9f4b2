import { mkdirSync, readFileSync } from 'node:fs'
import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { execa, execaSync } from 'execa'

import type { Place } from './place.ts'

/**
 * Where this machine shows the cgroup2 hierarchy: /sys/fs/cgroup on a unified one, a folder below it on a hybrid one,
 * nowhere on one with v1 only. Writing there puts the lab's processes under a name by which they can be ended.
 */
function mountedCgroup2(): string | undefined {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root, point] = before.split(' ')
    if (after.startsWith('cgroup2 ') && root === '/') return point
  }
  return undefined
}

/** The lab's own group; the groups of its hosts are below it. */
export function labGroup(place: Place): string {
  let top = mountedCgroup2()
  if (!top) {
    top = join(place.state, 'cgroup')
    mkdirSync(top, { recursive: true })
    execaSync('mount', ['-t', 'cgroup2', 'cgroup2', top])
  }
  return join(top, place.name)
}

/** Undoes the mount that {@link labGroup} made on a machine without one. */
export async function releaseGroup(place: Place): Promise<void> {
  const own = join(place.state, 'cgroup')
  if (mountedCgroup2() === own) await execa('umount', [own])
}

/** A command line that joins the group before it becomes the command, so that not even its first instant is outside. */
export function joining(group: string, command: readonly string[]): [string, string[]] {
  return ['sh', ['-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', group, ...command]]
}

async function subgroups(group: string): Promise<string[]> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(group, entry.name))
}

async function remove(group: string): Promise<void> {
  for (const below of await subgroups(group)) await remove(below)
  await rmdir(group).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

/** A group with processes or groups in it stays. */
export async function dropIfEmpty(group: string): Promise<void> {
  await rmdir(group).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EBUSY' && error.code !== 'ENOENT') throw error
  })
}

/** The processes of a group and of all below it. */
export async function processesOf(group: string): Promise<number[]> {
  const text = await readFile(join(group, 'cgroup.procs'), 'utf8').catch(() => '')
  const own = text.split('\n').filter(Boolean).map(Number)
  const below = await Promise.all((await subgroups(group)).map((sub) => processesOf(sub)))
  return [...own, ...below.flat()]
}

/** SIGKILL to every process in the group and below, all at once, as if the plug were pulled; then the group is gone. */
export async function killGroup(group: string): Promise<void> {
  const deadline = Date.now() + 20_000
  await writeFile(join(group, 'cgroup.kill'), '1').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  for (;;) {
    const events = await readFile(join(group, 'cgroup.events'), 'utf8').catch(() => 'populated 0')
    if (events.includes('populated 0')) break
    if (Date.now() > deadline) {
      throw new Error(
        `processes ${(await processesOf(group)).join(', ')} in ${group} outlive SIGKILL after 20 s`,
      )
    }
    await sleep(10)
  }
  await remove(group)
}

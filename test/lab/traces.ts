import { existsSync } from 'node:fs'
import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { labGroup } from './cgroup.ts'
import { namespacePath, type Place } from './place.ts'

/** What a lab left on this machine, found by looking at the machine and not at what the lab says of itself. */
export type Traces = {
  processes: string[]
  mounts: string[]
  namespaces: string[]
  groups: string[]
  files: string[]
}

async function namespacesOf(place: Place): Promise<string[]> {
  const names = await readdir('/run/netns').catch(() => [])
  return names.filter((name) => name.startsWith(`${place.name}-`))
}

/** A process counts when it is in a group of the lab, sits in one of the given network namespaces, or names its folder. */
async function belongs(pid: string, place: Place, inodes: ReadonlySet<string>): Promise<boolean> {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
  const net = await readlink(`/proc/${pid}/ns/net`).catch(() => '')
  if (inodes.has(net)) return true
  if (new RegExp(`^0::/(.*/)?${place.name}(/|$)`, 'm').test(await read('cgroup'))) return true
  return (await read('cmdline')).includes(place.state) || (await read('mountinfo')).includes(place.state)
}

/** Network namespaces by the inode that /proc shows, to find processes in one whose name is gone. */
export async function namespaceInodes(place: Place): Promise<Set<string>> {
  const paths = (await namespacesOf(place)).map(namespacePath)
  return new Set(await Promise.all(paths.map(async (path) => `net:[${(await stat(path)).ino}]`)))
}

export async function findTraces(place: Place, inodes: ReadonlySet<string> = new Set()): Promise<Traces> {
  const processes: string[] = []
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    if (!(await belongs(pid, place, inodes))) continue
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    // A process that ended meanwhile has no command line any more.
    if (command) processes.push(`${pid} ${command.replaceAll('\0', ' ').slice(0, 80)}`)
  }
  const mountinfo = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  const group = labGroup(place)
  const own = [place.state, ...(await namespacesOf(place)).map(namespacePath)]
  return {
    processes,
    mounts: mountinfo.filter((line) => own.some((path) => line.includes(` ${path}`))),
    namespaces: await namespacesOf(place),
    groups: existsSync(group) ? [group, ...(await readdir(group)).map((name) => join(group, name))] : [],
    files: existsSync(place.state) ? await readdir(place.state) : [],
  }
}

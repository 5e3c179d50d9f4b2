import { randomUUID } from 'node:crypto'
import { chmod, mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { dropIfEmpty, killGroup, labGroup, releaseGroup } from './cgroup.ts'
import { prepareDisk } from './host-files.ts'
import { allowInotify } from './inotify.ts'
import { writeInventory } from './inventory-file.ts'
import { withLock } from './lock.ts'
import { type Machine, machineNamed, machines, suites } from './machines.ts'
import { layNetworks, removeNetworks } from './network.ts'
import { installMissing } from './packages.ts'
import { filesOf, type Place } from './place.ts'
import { powerOn, whenReady } from './power.ts'
import { writeRecord } from './record.ts'
import { makeSecrets } from './secrets.ts'
import { writeSshFiles } from './ssh-files.ts'
import { ensureTrees, switchTree, treeOf, type Trees } from './tree.ts'

/** What statfs calls it (linux/magic.h). */
const overlayfs = 0x794c7630

type Say = (line: string) => void

/** A host behind a jump host brings the jump host with it. */
function chosen(names: readonly string[]): Machine[] {
  if (names.length === 0) return [...machines]
  const wanted = new Set(names.map((name) => machineNamed(name)))
  for (const machine of wanted) if (machine.jump) wanted.add(machineNamed(machine.jump))
  return machines.filter((machine) => wanted.has(machine))
}

/** Everything of this lab that a machine can still hold after a crash: processes first, so that nothing comes back. */
async function clear(place: Place): Promise<void> {
  await rm(filesOf(place).generation, { force: true })
  await killGroup(labGroup(place))
  await removeNetworks(place)
  await releaseGroup(place)
  await rm(place.state, { recursive: true, force: true })
}

async function bootAll(place: Place, trees: Trees, wanted: readonly Machine[]): Promise<void> {
  const secrets = await makeSecrets(place)
  const keys = new Map<string, string>()
  await Promise.all(
    wanted.map(async (machine) => {
      keys.set(machine.name, await prepareDisk(place, treeOf(trees, machine), machine, wanted, secrets))
    }),
  )
  await writeSshFiles(place, wanted, keys)
  await writeInventory(place, wanted, secrets)
  await layNetworks(place, switchTree(trees))
  await Promise.all(wanted.map((machine) => powerOn(place, treeOf(trees, machine), machine)))
  await Promise.all(wanted.map((machine) => whenReady(place, machine)))
}

async function makeState(place: Place): Promise<string> {
  await mkdir(place.state, { recursive: true })
  await chmod(place.state, 0o700)
  if ((await statfs(place.state)).type === overlayfs) {
    throw new Error(
      `${place.state} is on an overlay, which cannot carry the hosts' own: set LAB_STATE to a folder on a disk or tmpfs`,
    )
  }
  await writeFile(filesOf(place).generation, randomUUID())
  return join(labGroup(place), 'build')
}

/** The base trees alone. */
export async function treesUp(place: Place, say: Say): Promise<Trees> {
  return await withLock(place, async () => {
    await installMissing(say)
    const group = labGroup(place)
    try {
      return await ensureTrees(place, new Set(suites), join(group, 'build'), say)
    } finally {
      await dropIfEmpty(group)
      await releaseGroup(place)
    }
  })
}

/** Clears what an earlier run left, then boots the hosts, all when none is named. Returns when sshd answers on each. */
export async function bringUp(place: Place, names: readonly string[], say: Say): Promise<void> {
  const wanted = chosen(names)
  await withLock(place, async () => {
    await installMissing(say)
    await allowInotify(say)
    await clear(place)
    const needed = new Set(wanted.map(({ suite }) => suite))
    const trees = await ensureTrees(place, needed, await makeState(place), say)
    const started = Date.now()
    await bootAll(place, trees, wanted)
    const upSince = new Date().toISOString()
    await writeRecord(place, { trees, machines: wanted.map((machine) => machine.name), upSince })
    say(`${wanted.length} hosts up in ${((Date.now() - started) / 1000).toFixed(1)} s`)
  })
}

/** Leaves no process, mount, namespace, control group or file of this lab; the cached tree stays. */
export async function takeDown(place: Place): Promise<void> {
  await withLock(place, () => clear(place))
}

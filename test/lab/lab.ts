import { execa, type Options } from 'execa'

import { bringUp, takeDown, treesUp } from './lifecycle.ts'
import { type Machine, machineNamed } from './machines.ts'
import { cutCables, isCut, mendCables } from './network.ts'
import { filesOf, hostNamespace, namespaceExists, type Place, placeOf } from './place.ts'
import { powerOff, powerOn, whenReady } from './power.ts'
import { type LabRecord, readRecord } from './record.ts'
import { readSecrets, type Secrets } from './secrets.ts'
import { controllerEnv, onController, runInside, type ShellOptions, type ShellResult } from './shell.ts'
import { fillDisk, limitDisk, unlimitDisk } from './small-disk.ts'
import { switchTree, type Trees, treeOf } from './tree.ts'

export type Lab = ReturnType<typeof openLab>

export type HostStatus = { name: string; power: 'on' | 'off'; cables: 'whole' | 'cut' | 'none' }

async function recordOf(place: Place): Promise<LabRecord> {
  const record = await readRecord(place)
  if (!record) throw new Error(`the lab ${place.name} is not up: npm run lab up`)
  return record
}

/** Throws when the lab is down or was brought up without this machine. */
async function machineOf(place: Place, name: string): Promise<{ machine: Machine; trees: Trees }> {
  const { trees, machines } = await recordOf(place)
  const machine = machineNamed(name)
  if (!machines.includes(name)) throw new Error(`${name} was not brought up; up are ${machines.join(', ')}`)
  return { machine, trees }
}

async function statusOf(place: Place): Promise<HostStatus[]> {
  const { trees, machines } = await recordOf(place)
  return await Promise.all(
    machines.map(async (name): Promise<HostStatus> => {
      if (!namespaceExists(hostNamespace(place, name))) return { name, power: 'off', cables: 'none' }
      const machine = machineNamed(name)
      const cut = await isCut(place, switchTree(trees), machine)
      return { name, power: 'on', cables: cut ? 'cut' : 'whole' }
    }),
  )
}

/**
 * The lab for tests and the command line. It keeps nothing in memory: any process may open it and act on it.
 * `down` and `up` of the same lab must not run while others use it.
 */
export function openLab(name?: string) {
  const place = placeOf(name)
  const inside = (host: string) => (script: string, options?: ShellOptions) =>
    runInside(place, host, script, options)
  return {
    name: place.name,
    place,
    files: filesOf(place),

    /** What `up` needs on this machine: packages and base trees. */
    build: (say: (line: string) => void) => treesUp(place, say),
    up: (hosts: readonly string[] = [], say: (line: string) => void = () => undefined) =>
      bringUp(place, hosts, say),
    down: () => takeDown(place),
    /** Undefined when the lab is not up, or only half. */
    record: () => readRecord(place),
    status: () => statusOf(place),
    secrets: (): Promise<Secrets> => readSecrets(place),
    /** Added to the environment of what the operator runs. */
    operatorEnv: controllerEnv(place),

    /** Pulls the plug: silent at once, nothing is shut down. The disk stays. */
    async poweroff(host: string): Promise<void> {
      await powerOff(place, (await machineOf(place, host)).machine)
    },
    /** Boots on the same disk, with whole cables. Returns when its sshd answers. */
    async poweron(host: string): Promise<void> {
      const { machine, trees } = await machineOf(place, host)
      await mendCables(place, switchTree(trees), machine)
      await powerOn(place, treeOf(trees, machine), machine)
      await whenReady(place, machine)
    },
    /** Packets to and from the host vanish: connections hang, none is refused. */
    async cut(host: string): Promise<void> {
      const { machine, trees } = await machineOf(place, host)
      if (!namespaceExists(hostNamespace(place, host)))
        throw new Error(`${host} is off: it has no cables to cut`)
      await cutCables(place, switchTree(trees), machine)
    },
    async mend(host: string): Promise<void> {
      const { machine, trees } = await machineOf(place, host)
      await mendCables(place, switchTree(trees), machine)
    },

    /** A bash script as root inside a host, past its sshd. Throws unless it exits with 0 or `nothrow` is set. */
    sh: (host: string, script: string, options?: ShellOptions): Promise<ShellResult> =>
      inside(host)(script, options),
    limitDisk: (host: string, path: string, size: string) => limitDisk(inside(host), path, size),
    unlimitDisk: (host: string, path: string) => unlimitDisk(inside(host), path),
    fillDisk: (host: string, path: string, leave?: number) => fillDisk(inside(host), path, leave),

    /** A command on the operator's workstation, with a home folder of the lab. A signal sent to it reaches the command. */
    controller<O extends Options = { reject?: true }>(
      command: string,
      args: readonly string[] = [],
      options?: O,
    ) {
      const [file, rest] = onController(place, [command, ...args])
      return execa({ env: controllerEnv(place) })(file, rest, options)
    },
    /** The command line that {@link controller} runs, for a caller that starts processes in its own way. */
    controllerCommand: (command: readonly string[]) => onController(place, command),
  }
}

import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { execa } from 'execa'

import { joining, killGroup, labGroup, processesOf } from './cgroup.ts'
import { diskOf } from './host-files.ts'
import { type Machine, sshAddress } from './machines.ts'
import { plugIn, silence, unplug } from './network.ts'
import { filesOf, hostFolder, hostNamespace, namespaceExists, namespacePath, type Place } from './place.ts'
import { knownName } from './ssh-files.ts'

/**
 * Runs in a mount namespace of its own, so that a host that ends in any way leaves no mount here.
 * A child that was started for an earlier `up` finds another generation and ends: no race with clearing up.
 * nspawn wants one pure cgroup2, which machines with v1 or hybrid mounts do not show. Its exit code 133 asks for a reboot.
 * An overlay cannot carry Docker's overlays: its folders are bound from the real disk. `volatile`, where the kernel has
 * it, leaves out syncing: losing power is played by killing, which loses nothing that was written.
 */
const boot = `set -eu
exec >>"$console" 2>&1
[ "$(cat "$generation_file")" = "$generation" ] || exit 0
umount -R /sys/fs/cgroup || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd
rm -rf "$work/work/incompat"
layers=lowerdir=$tree,upperdir=$upper,workdir=$work
mount -t overlay overlay -o "$layers,volatile" "$root" || mount -t overlay overlay -o "$layers" "$root"
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
while code=0; systemd-nspawn --quiet --boot --directory="$root" --machine="$host" --hostname="$host" \\
  --network-namespace-path="$network" --register=no --keep-unit --kill-signal=SIGRTMIN+3 \\
  --resolv-conf=off --timezone=off --link-journal=no --console=read-only \\
  --capability=all --drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO,CAP_WAKE_ALARM \\
  --system-call-filter="add_key keyctl bpf" "$@" || code=$?; [ "$code" = 133 ]
do nsenter --net="$network" chroot "$tree" nft flush ruleset; done
exit "$code"`

function groupOf(place: Place, host: string): string {
  return join(labGroup(place), host)
}

function consoleOf(place: Place, host: string): string {
  return join(hostFolder(place, host), 'console.log')
}

/** Starts the host's systemd and returns at once; {@link whenReady} waits for it. The host outlives this process. */
export async function powerOn(place: Place, tree: string, machine: Machine): Promise<void> {
  const { name } = machine
  const namespace = hostNamespace(place, name)
  if (namespaceExists(namespace)) throw new Error(`${name} is on already`)
  await plugIn(place, machine)
  const group = groupOf(place, name)
  await mkdir(group, { recursive: true })
  const { upper, work, root, data } = diskOf(place, name)
  const [docker = '', containerd = '', containers = ''] = data
  const generation_file = filesOf(place).generation
  const generation = await readFile(generation_file, 'utf8')
  const child = execa(
    ...joining(group, [
      'unshare',
      '--mount',
      '--propagation=private',
      'bash',
      '-c',
      boot,
      `lab-${name}`,
      `--bind=${docker}:/var/lib/docker`,
      `--bind=${containerd}:/var/lib/containerd`,
      `--bind=${containers}:/var/lib/containers`,
    ]),
    {
      detached: true,
      cleanup: false,
      reject: false,
      stdio: 'ignore',
      env: {
        host: name,
        network: namespacePath(namespace),
        tree,
        upper,
        work,
        root,
        generation,
        generation_file,
        console: consoleOf(place, name),
      },
    },
  )
  child.unref()
}

/** Pulls the plug: the cables go silent first, so that no dying process says goodbye, then all is killed at once. */
export async function powerOff(place: Place, machine: Machine): Promise<void> {
  if (!namespaceExists(hostNamespace(place, machine.name))) throw new Error(`${machine.name} is off already`)
  await silence(place, machine)
  await killGroup(groupOf(place, machine.name))
  await unplug(place, machine)
}

/** The host's systemd as a process of this machine, or undefined when it is not (yet) there. */
export async function leaderOf(place: Place, host: string): Promise<number | undefined> {
  const group = groupOf(place, host)
  for (const pid of await processesOf(join(group, 'payload', 'init.scope'))) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    if (/^NSpid:.*\t1$/m.test(status)) return pid
  }
  return undefined
}

/** Read from /proc, which costs nothing while ten hosts boot on two cores. */
async function listens(pid: number, port: number): Promise<boolean> {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const table = await readFile(`/proc/${pid}/net/tcp`, 'utf8').catch(() => '')
  return table.split('\n').some((line) => {
    const [, address = '', , state] = line.trim().split(/\s+/)
    return address.endsWith(local) && state === '0A'
  })
}

async function scannedKey(place: Place, machine: Machine): Promise<string> {
  const from = machine.jump ? hostNamespace(place, machine.jump) : place.controllerNamespace
  const scan = ['ssh-keyscan', '-T', '2', '-t', 'ed25519', '-p', String(machine.port), sshAddress(machine)]
  const { stdout } = await execa('nsenter', [`--net=${namespacePath(from)}`, ...scan], { reject: false })
  return stdout.trim()
}

/** Undefined when users may log in and sshd, asked over the wire, shows the wanted key; otherwise what is missing. */
async function whyNotReady(place: Place, machine: Machine, wanted: string): Promise<string | undefined> {
  const pid = await leaderOf(place, machine.name)
  if (pid === undefined) return 'its systemd did not start'
  if (!(await listens(pid, machine.port))) return `nothing listens on port ${machine.port}`
  if (existsSync(`/proc/${pid}/root/run/nologin`)) return 'its systemd lets no users in yet'
  const key = await scannedKey(place, machine)
  return key === wanted ? undefined : `sshd showed ${key || 'no host key'} instead of ${wanted}`
}

/** Polled, but cheaply: nothing is asked over the wire before the host listens. */
export async function whenReady(place: Place, machine: Machine, seconds = 60): Promise<void> {
  const started = Date.now()
  const known = await readFile(filesOf(place).knownHosts, 'utf8')
  const wanted = known.split('\n').find((line) => line.startsWith(`${knownName(machine)} `)) ?? ''
  for (;;) {
    const missing = await whyNotReady(place, machine, wanted)
    if (missing === undefined) return
    const waited = Date.now() - started
    const over = waited > 3000 && (await processesOf(groupOf(place, machine.name))).length === 0
    if (over || waited > seconds * 1000) {
      const log = await readFile(consoleOf(place, machine.name), 'utf8').catch(() => '')
      const tail = log.trimEnd().split('\n').slice(-5).join('\n')
      const when = over ? 'ended while it booted' : `is not ready after ${seconds} s`
      throw new Error(`${machine.name} ${when}: ${missing}; its console says:\n${tail}`)
    }
    await sleep(50)
  }
}

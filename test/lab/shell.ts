import { mkdirSync } from 'node:fs'
import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'

import { execa } from 'execa'

import { joining, killGroup, labGroup } from './cgroup.ts'
import { filesOf, namespacePath, type Place } from './place.ts'
import { leaderOf } from './power.ts'

export type ShellOptions = {
  /** Given to the script on stdin; the place for secrets. */
  input?: string
  /** Milliseconds, then all that the script started is killed. Default 120 s. */
  timeout?: number
  /** A failed script is returned, not thrown. */
  nothrow?: boolean
}

export type ShellResult = { stdout: string; stderr: string; exitCode: number }

let count = 0

/** nsenter's own wait stops for ever with a child that is stopped, as all are when a host reboots; the shell's does not. */
const wait = 'exec 3<&0; "$@" <&3 3<&- & wait $!'

/**
 * Runs a bash script as root inside a host, past its sshd, which is under test.
 * Its processes are in a group of the host: `poweroff` ends them too.
 */
export async function runInside(
  place: Place,
  host: string,
  script: string,
  { input = '', timeout = 120_000, nothrow = false }: ShellOptions = {},
): Promise<ShellResult> {
  const pid = await leaderOf(place, host)
  if (pid === undefined) throw new Error(`${host} is off: no script can run in it`)
  count += 1
  const group = join(labGroup(place), host, `shell-${process.pid}-${count}`)
  await mkdir(group, { recursive: true })
  const enter = ['nsenter', '-t', String(pid), '--all', '--root', '--no-fork', 'sh', '-c', wait, 'sh']
  const clean = [
    'env',
    '-i',
    '-C',
    '/root',
    'HOME=/root',
    'USER=root',
    'LANG=C.UTF-8',
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
  ]
  let late = false
  const timer = setTimeout(() => {
    late = true
    killGroup(group).catch(() => undefined)
  }, timeout)
  const result = await execa(...joining(group, [...enter, ...clean, 'bash', '-c', script]), {
    input,
    reject: false,
  })
  clearTimeout(timer)
  // A script may leave a process behind on purpose; then the group stays with it.
  await rmdir(group).catch(() => undefined)
  const { stdout, stderr, exitCode = late ? 124 : 137 } = result
  if (exitCode !== 0 && !nothrow) {
    const why = late ? `ran longer than ${timeout} ms` : `exit ${exitCode}`
    throw new Error(`script in ${host}: ${why}: ${(stderr || stdout).slice(-2000)}`)
  }
  return { stdout, stderr, exitCode }
}

/** What a command of the operator sees: a home folder of the lab, so that nobody's own keys and agent are used. */
export function controllerEnv(place: Place): Record<string, string | undefined> {
  return {
    HOME: filesOf(place).home,
    SSH_AUTH_SOCK: undefined,
    XDG_CONFIG_HOME: undefined,
    XDG_STATE_HOME: undefined,
    XDG_DATA_HOME: undefined,
  }
}

/** The command line that runs a command on the operator's workstation. `down` ends what it leaves running. */
export function onController(place: Place, command: readonly string[]): [string, string[]] {
  const group = join(labGroup(place), 'controller')
  mkdirSync(group, { recursive: true })
  return joining(group, ['nsenter', `--net=${namespacePath(place.controllerNamespace)}`, '--', ...command])
}

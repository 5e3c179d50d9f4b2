import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { execa } from 'execa'

import { addressOf, type Login, type Machine } from './machines.ts'
import { filesOf, hostFolder, type Place } from './place.ts'
import { makeKey, type Secrets } from './secrets.ts'

/** uid and gid of `ops`, the first that Debian gives to a person. */
const opsId = 1000

/** Folders of one host: its disk over the base tree, and what Docker may not keep on an overlay. */
export function diskOf(place: Place, host: string) {
  const at = (name: string) => join(hostFolder(place, host), name)
  return {
    upper: at('upper'),
    work: at('work'),
    root: at('root'),
    data: ['docker', 'containerd', 'containers'].map(at),
  }
}

/** Modes are set, not only asked for, since the caller's umask must not shape a host; in an overlay the upper folder's counts. */
async function folder(upper: string, path: string, mode = 0o755, owner = 0): Promise<void> {
  let at = upper
  for (const name of path.split('/')) {
    at = join(at, name)
    if (existsSync(at)) continue
    await mkdir(at, { recursive: true })
    await chmod(at, at === join(upper, path) ? mode : 0o755)
    await chown(at, owner, owner)
  }
}

async function put(upper: string, path: string, text: string, mode = 0o644, owner = 0): Promise<void> {
  await folder(upper, dirname(path))
  const file = join(upper, path)
  await writeFile(file, text)
  await chmod(file, mode)
  await chown(file, owner, owner)
}

/**
 * Penalties are off because a test that shows a refused key must not lock out the next test for a minute; the sshd of
 * bookworm has none, and does not start on a setting that it does not know.
 */
function sshdSettings(machine: Machine): string {
  const lines = [`Port ${machine.port}`, 'PasswordAuthentication no']
  if (machine.suite !== 'bookworm') lines.push('PerSourcePenalties no')
  if (machine.login.user !== 'root') lines.push('PermitRootLogin no')
  return `${lines.join('\n')}\n`
}

function hostsFile(all: readonly Machine[], self: Machine): string {
  const lines = all.map((machine) => `${addressOf(machine, 'internal')} ${machine.name}`)
  return `127.0.0.1 localhost\n::1 localhost\n${lines.join('\n')}\n# this is ${self.name}\n`
}

async function addOps(
  tree: string,
  upper: string,
  login: Exclude<Login, { user: 'root' }>,
  secrets: Secrets,
) {
  const of = (name: string) => readFile(join(tree, 'etc', name), 'utf8')
  let hash = '*'
  if (login.sudo === 'password') {
    hash = (await execa('chroot', [tree, 'openssl', 'passwd', '-6', '-stdin'], { input: secrets.sudo }))
      .stdout
  }
  const groups = (await of('group')).split('\n').map((line) => {
    if (!login.groups.some((group) => line.startsWith(`${group}:`))) return line
    return line.endsWith(':') ? `${line}ops` : `${line},ops`
  })
  await put(upper, 'etc/group', `${groups.join('\n')}ops:x:${opsId}:\n`)
  await put(upper, 'etc/passwd', `${await of('passwd')}ops:x:${opsId}:${opsId}::/home/ops:/bin/bash\n`)
  await put(upper, 'etc/shadow', `${await of('shadow')}ops:${hash}:20000:0:99999:7:::\n`, 0o640)
  const shadowGroup = (await of('group')).match(/^shadow:[^:]*:(\d+)/m)?.[1]
  await chown(join(upper, 'etc/shadow'), 0, Number(shadowGroup))
  if (login.sudo === 'free') await put(upper, 'etc/sudoers.d/ops', 'ops ALL=(ALL:ALL) NOPASSWD: ALL\n', 0o440)
}

async function giveHome(place: Place, tree: string, upper: string, login: Login): Promise<void> {
  const [home, id] = login.user === 'root' ? ['root', 0] : ['home/ops', opsId]
  await folder(upper, dirname(home))
  await folder(upper, home, 0o700, id)
  if (login.user === 'ops') {
    for (const name of ['.bashrc', '.profile']) {
      await put(upper, join(home, name), await readFile(join(tree, 'etc/skel', name), 'utf8'), 0o644, id)
    }
  }
  await folder(upper, join(home, '.ssh'), 0o700, id)
  const key = await readFile(`${filesOf(place).key}.pub`, 'utf8')
  await put(upper, join(home, '.ssh/authorized_keys'), key, 0o600, id)
}

/** Writes what makes a host itself onto its empty disk. Returns its public host key, `ssh-ed25519 AAAA…`. */
export async function prepareDisk(
  place: Place,
  tree: string,
  machine: Machine,
  all: readonly Machine[],
  secrets: Secrets,
): Promise<string> {
  const { upper, work, root, data } = diskOf(place, machine.name)
  for (const path of [upper, work, root, ...data]) await mkdir(path, { recursive: true })
  await chmod(upper, 0o755)
  await put(upper, 'etc/hostname', `${machine.name}\n`)
  await put(upper, 'etc/hosts', hostsFile(all, machine))
  await put(upper, 'etc/machine-id', `${randomBytes(16).toString('hex')}\n`, 0o444)
  await put(upper, 'etc/ssh/sshd_config.d/10-lab.conf', sshdSettings(machine))
  const key = join(upper, 'etc/ssh/ssh_host_ed25519_key')
  await makeKey(key, `root@${machine.name}`)
  if (machine.login.user === 'ops') await addOps(tree, upper, machine.login, secrets)
  await giveHome(place, tree, upper, machine.login)
  const [type, blob] = (await readFile(`${key}.pub`, 'utf8')).split(' ')
  return `${type} ${blob}`
}

import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'

import { execa } from 'execa'

const packageOf: Record<string, string> = {
  mmdebstrap: 'mmdebstrap',
  'systemd-nspawn': 'systemd-container',
  ip: 'iproute2',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  'ssh-keyscan': 'openssh-client',
  nsenter: 'util-linux',
  flock: 'util-linux',
}

async function isInstalled(command: string): Promise<boolean> {
  const folders = [...(process.env.PATH ?? '').split(':').filter(Boolean), '/usr/sbin', '/sbin']
  for (const folder of folders) {
    const found = await access(join(folder, command), constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return true
  }
  return false
}

/** Why this machine cannot carry the lab, or undefined when it can. */
export async function whyNoLab(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `the lab needs Linux, this is ${process.platform}`
  if (process.getuid?.() !== 0) return `the lab needs root, this is user ${process.getuid?.()}`
  if (!(await isInstalled('apt-get')))
    return 'the lab needs a machine of the Debian family: there is no apt-get here'
  return undefined
}

/** Installs what the lab needs and this machine lacks. The first line it says is what. */
export async function installMissing(say: (line: string) => void): Promise<void> {
  const missing = new Set<string>()
  for (const [command, name] of Object.entries(packageOf))
    if (!(await isInstalled(command))) missing.add(name)
  if (missing.size === 0) return
  say(`this machine lacks ${[...missing].join(', ')}: installing with apt`)
  const apt = execa({ env: { DEBIAN_FRONTEND: 'noninteractive' }, stdin: 'ignore' })
  const wait = ['-o', 'DPkg::Lock::Timeout=300', '-qq']
  const install = ['install', '-y', '--no-install-recommends', ...missing]
  const first = await apt({ reject: false })('apt-get', [...wait, ...install])
  if (!first.failed) return
  await apt('apt-get', [...wait, 'update'])
  await apt('apt-get', [...wait, ...install])
}

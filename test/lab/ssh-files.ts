import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { type Machine, sshAddress } from './machines.ts'
import { filesOf, type Place } from './place.ts'

/** How known_hosts names a machine: the address, in brackets with the port when it is not 22. */
export function knownName(machine: Machine): string {
  return machine.port === 22 ? sshAddress(machine) : `[${sshAddress(machine)}]:${machine.port}`
}

function configOf(machine: Machine, key: string, knownHosts: string): string {
  return [
    `Host ${machine.name}`,
    `  HostName ${sshAddress(machine)}`,
    `  Port ${machine.port}`,
    `  User ${machine.login.user}`,
    `  IdentityFile ${key}`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${knownHosts}`,
    '  GlobalKnownHostsFile none',
    '  StrictHostKeyChecking yes',
    ...(machine.jump ? [`  ProxyJump ${machine.jump}`] : []),
  ].join('\n')
}

/** known_hosts, a configuration for OpenSSH, and the operator's home folder that leads to both. */
export async function writeSshFiles(
  place: Place,
  machines: readonly Machine[],
  hostKeys: ReadonlyMap<string, string>,
): Promise<void> {
  const files = filesOf(place)
  const known = machines.map((machine) => `${knownName(machine)} ${hostKeys.get(machine.name)}\n`)
  await writeFile(files.knownHosts, known.join(''))
  const config = machines.map((machine) => configOf(machine, files.key, files.knownHosts))
  await writeFile(files.sshConfig, `${config.join('\n')}\n`)
  const ssh = join(files.home, '.ssh')
  await mkdir(ssh, { recursive: true, mode: 0o700 })
  await symlink(files.knownHosts, join(ssh, 'known_hosts'))
  await symlink(files.key, join(ssh, 'id_ed25519'))
}

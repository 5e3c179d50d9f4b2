import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { machines } from '../lab/machines.ts'
import { commands } from './commands.ts'
import type { Desk } from './desk.ts'
import { endMasters } from './masters.ts'
import type { Way } from './way.ts'

/** As it is installed, but for pipelining and ten forks; no facts are gathered, as nobody else gathers any. */
export const ansible: Way = {
  title: 'Ansible, pipelining, 10 forks',
  needs: ['ansible-playbook', 'ssh'],
  async prepare(desk) {
    await mkdir(ansibleSockets(desk), { mode: 0o700 })
    await writeFile(join(desk.folder, 'ansible.cfg'), ansibleConfiguration(desk))
    const hosts = Object.fromEntries(machines.map(({ name }) => [name, {}]))
    // JSON is YAML.
    await writeFile(join(desk.folder, 'hosts.yml'), JSON.stringify({ all: { hosts } }))
    for (const count of [1, commands.length]) {
      const tasks = commands.slice(0, count).map((argv) => ({ 'ansible.builtin.command': { argv } }))
      await writeFile(playbook(desk, count), JSON.stringify([{ hosts: 'all', gather_facts: false, tasks }]))
    }
  },
  async ask(desk, count) {
    const command = ['ansible-playbook', '-i', join(desk.folder, 'hosts.yml'), playbook(desk, count)]
    const env = { LC_ALL: 'C.UTF-8', ANSIBLE_CONFIG: join(desk.folder, 'ansible.cfg') }
    const { ms } = await desk.run(command, { env })
    return { [ansible.title]: ms }
  },
  /** The connections that it leaves open would make the next round start warm. */
  async settle(desk) {
    await endMasters(ansibleSockets(desk))
  },
  async finish(desk) {
    await endMasters(ansibleSockets(desk))
  },
}

export function ansibleConfiguration(desk: Desk): string {
  return [
    '[defaults]',
    'forks = 10',
    `home = ${join(desk.folder, 'ansible')}`,
    '[ssh_connection]',
    'pipelining = true',
    `ssh_args = -F ${desk.lab.files.sshConfig} -o ControlMaster=auto -o ControlPersist=60s`,
    `control_path_dir = ${ansibleSockets(desk)}`,
    '',
  ].join('\n')
}

function playbook(desk: Desk, count: number): string {
  return join(desk.folder, `playbook-${count}.yml`)
}

export function ansibleSockets(desk: Desk): string {
  return join(desk.folder, 'ansible-masters')
}

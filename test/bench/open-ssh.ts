import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { machines } from '../lab/machines.ts'
import { commands } from './commands.ts'
import type { Desk } from './desk.ts'
import { endMasters } from './masters.ts'
import type { Way } from './way.ts'

const needs = ['ssh', 'xargs']

/** A new connection for each command. */
export const cold: Way = {
  title: '`xargs -P10 ssh`',
  needs,
  async ask(desk, count) {
    return { [cold.title]: await xargs(desk, count, []) }
  },
}

/** One connection to each host, made before the clock starts. */
export const warm: Way = {
  title: '`xargs -P10 ssh`, warm ControlMaster',
  needs,
  async prepare(desk) {
    await mkdir(sockets(desk))
    const master = [...socket(desk), '-o', 'ControlMaster=yes', '-o', 'ControlPersist=yes', '-N', '-f']
    await Promise.all(machines.map(({ name }) => desk.run([...ssh(desk), ...master, name])))
  },
  async ask(desk, count) {
    return { [warm.title]: await xargs(desk, count, socket(desk)) }
  },
  async finish(desk) {
    await endMasters(sockets(desk))
  },
}

function ssh(desk: Desk): string[] {
  return ['ssh', '-F', desk.lab.files.sshConfig, '-o', 'BatchMode=yes']
}

function socket(desk: Desk): string[] {
  return ['-o', `ControlPath=${join(sockets(desk), '%n')}`]
}

function sockets(desk: Desk): string {
  return join(desk.folder, 'masters')
}

/** All hosts are asked the first command, then all the second: ten at a time are ten different hosts. */
async function xargs(desk: Desk, count: number, options: readonly string[]): Promise<number> {
  const lines = commands
    .slice(0, count)
    .flatMap((command) => machines.map(({ name }) => `${[name, ...command].join(' ')}\n`))
  const command = ['xargs', '-P10', '-L1', ...ssh(desk), ...options]
  const { ms } = await desk.run(command, { input: lines.join('') })
  return ms
}

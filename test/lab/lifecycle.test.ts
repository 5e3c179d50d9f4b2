import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { execa } from 'execa'
import { afterAll, expect, test } from 'vitest'

import { labGroup, processesOf } from './cgroup.ts'
import { openLab } from './lab.ts'
import { placeOf } from './place.ts'
import { findTraces, namespaceInodes } from './traces.ts'

/** A second lab beside the one that the other tests use, with the same addresses: neither may notice the other. */
const place = placeOf('hm-second')
const lab = openLab('hm-second')
const nothing = { processes: [], mounts: [], namespaces: [], groups: [], files: [] }
const cli = ['--import', 'tsx', join(import.meta.dirname, 'cli.ts')]

afterAll(() => lab.down())

function labCommand(...args: string[]) {
  return execa(process.execPath, [...cli, ...args], { env: { LAB_NAME: 'hm-second' }, reject: false })
}

test('down leaves no process, mount, namespace, group or file', async () => {
  await lab.down()
  expect(await findTraces(place)).toEqual(nothing)
  await lab.up(['spare-1'])
  const lingering = lab.controller('sleep', ['1000'], { reject: false })
  const inodes = await namespaceInodes(place)
  const during = await findTraces(place, inodes)
  for (const found of Object.values(during)) expect(found).not.toHaveLength(0)
  await lab.down()
  expect((await lingering).signal).toBe('SIGKILL')
  expect(await findTraces(place, inodes)).toEqual(nothing)
})

test('a lab with the same addresses goes up and down beside another', async () => {
  const other = openLab()
  const before = await other.sh('spare-1', 'stat -c %Y /proc/1; cat /etc/machine-id')
  await lab.up(['spare-1'])
  expect((await lab.sh('spare-1', 'cat /etc/machine-id')).stdout).not.toBe(before.stdout.split('\n')[1])
  await lab.down()
  expect(await other.sh('spare-1', 'stat -c %Y /proc/1; cat /etc/machine-id')).toEqual(before)
})

test('up after kill -9 in mid-up clears the half-built lab and goes up whole', async () => {
  const { pid } = labCommand('up', 'spare-1', 'spare-2')
  const nspawns = async () => {
    const pids = await processesOf(labGroup(place))
    const commands = await Promise.all(
      pids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')),
    )
    return pids.filter((_, index) => commands[index]?.startsWith('systemd-nspawn'))
  }
  await expect.poll(nspawns, { timeout: 60_000, interval: 20 }).not.toHaveLength(0)
  if (pid === undefined) throw new Error('nothing to kill')
  process.kill(pid, 'SIGSTOP')
  const [supervisor] = await nspawns()
  const second = await labCommand('up', 'spare-1')
  expect(second).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/another command takes the lab hm-second up or down now/),
  })
  if (supervisor === undefined) throw new Error('no host runs')
  process.kill(pid, 'SIGKILL')
  process.kill(supervisor, 'SIGKILL')
  expect(await lab.record()).toBeUndefined()
  expect((await findTraces(place)).processes).not.toHaveLength(0)

  await lab.up(['spare-1', 'spare-2'])
  const args = ['-F', lab.files.sshConfig, '-o', 'BatchMode=yes']
  const names = await Promise.all(
    ['spare-1', 'spare-2'].map((host) => lab.controller('ssh', [...args, host, 'hostname'])),
  )
  expect(names.map(({ stdout }) => stdout)).toEqual(['spare-1', 'spare-2'])
})

test('a killed build of the tree leaves nothing that is taken for one', async () => {
  await lab.down()
  const cache = join(place.state, 'cache')
  const { pid } = spawn(process.execPath, [...cli, 'tree'], {
    env: { ...process.env, LAB_NAME: 'hm-second', XDG_CACHE_HOME: cache },
    stdio: 'ignore',
  })
  const folder = join(cache, 'hausmeister-lab')
  const built = async () => (await readdir(folder).catch(() => [])).filter((name) => name.startsWith('half-'))
  await expect.poll(built, { timeout: 60_000 }).toHaveLength(1)
  if (pid === undefined) throw new Error('nothing to kill')
  process.kill(pid, 'SIGKILL')
  expect((await readdir(folder)).filter((name) => name.startsWith('tree-'))).toEqual([])
  expect((await findTraces(place)).processes.join('\n')).toContain('mmdebstrap')
  await lab.down()
  expect(await findTraces(place)).toEqual(nothing)
})

test('the command line ends as the command did, and says how it is used', async () => {
  const used = await labCommand('frobnicate')
  expect(used).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/npm run lab up \[host \.\.\.\]/) })
  const down = await labCommand('ssh', 'spare-1')
  expect(down.exitCode).not.toBe(0)
  const unknown = await labCommand('up', 'pg-primry')
  expect(unknown).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/no machine "pg-primry" in the lab; it has pve, pg-primary/),
  })
})

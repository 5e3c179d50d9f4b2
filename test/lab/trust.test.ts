import { mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeEach, expect, test } from 'vitest'

import { notes, type Outcome, runTask } from './faults/task-run.ts'
import { openLab } from './lab.ts'

const lab = openLab()
const folders: string[] = []
let home: string
/** What `~/.ssh/known_hosts` links to, as those have it who keep such files in a repository. */
let knownHosts: string

/** An operator who knows nobody yet. The lab's own known_hosts is for the other tests. */
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hausmeister-trust-'))
  folders.push(home)
  knownHosts = join(home, 'hosts-i-know')
  await mkdir(join(home, '.ssh'), { mode: 0o700 })
  await writeFile(knownHosts, '# mine\n')
  await symlink(knownHosts, join(home, '.ssh', 'known_hosts'))
})
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

function trust(host: string, ...flags: string[]): Promise<Outcome> {
  return runTask(lab, 'network-trust', ['--inventory', lab.files.inventory, '--host', host, ...flags], {
    env: { HOME: home },
  })
}

/** As the machine itself says it, on its console. */
async function fingerprintOf(host: string): Promise<string> {
  const { stdout } = await lab.sh(host, 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub')
  return stdout.split(' ')[1] ?? ''
}

/** The line of `host` in the lab's own known_hosts, whose names and keys come from the machines' disks. */
async function lineOf(name: string): Promise<string> {
  const lines = (await readFile(lab.files.knownHosts, 'utf8')).split('\n')
  return lines.find((line) => line.startsWith(`${name} `)) ?? `no ${name}`
}

async function known(): Promise<string[]> {
  return (await readFile(knownHosts, 'utf8')).split('\n').filter((line) => line !== '' && line !== '# mine')
}

test('the right fingerprint: the key is written, and known from then on', async () => {
  const fingerprint = await fingerprintOf('vm-app')
  const first = await trust('vm-app', '--fingerprint', fingerprint)
  expect(first).toMatchObject({ code: 0, error: '' })
  expect(notes(first)).toContain(`192.168.2.14 shows ssh-ed25519 ${fingerprint}`)
  expect(await known()).toEqual([await lineOf('192.168.2.14')])
  expect(await readlink(join(home, '.ssh', 'known_hosts'))).toBe(knownHosts)

  const second = await trust('vm-app')
  expect(second).toMatchObject({ code: 0, error: '' })
  expect(notes(second)).toMatch(/has this key already/)
  expect(await known()).toHaveLength(1)
})

test('another port, and a machine behind a jump host: under the names that ssh looks for', async () => {
  const proxy = await trust('vm-proxy', '--fingerprint', await fingerprintOf('vm-proxy'))
  expect(proxy).toMatchObject({ code: 0, error: '' })
  const early = await trust('pg-replica', '--fingerprint', await fingerprintOf('pg-replica'))
  expect(early).toMatchObject({
    code: 3,
    error: expect.stringMatching(
      /^pg-replica: the way there leads through pve: unknown host key[^]*network-trust\.ts --host pve /,
    ),
  })
  expect((await trust('pve', '--fingerprint', await fingerprintOf('pve'))).error).toBe('')
  const behind = await trust('pg-replica', '--fingerprint', await fingerprintOf('pg-replica'))
  expect(behind).toMatchObject({ code: 0, error: '' })
  const names = ['[192.168.2.13]:2222', '192.168.2.10', '10.10.10.12']
  expect(await known()).toEqual(await Promise.all(names.map((name) => lineOf(name))))
})

test('a wrong fingerprint, nobody to ask, a dry run: nothing is written', async () => {
  const right = await fingerprintOf('vm-app')
  const wrong = await fingerprintOf('vm-proxy')
  expect(await trust('vm-app', '--fingerprint', wrong)).toMatchObject({
    code: 1,
    error: `vm-app shows ${right}, and not ${wrong}; nothing was written`,
  })
  const silent = await trust('vm-app')
  expect(silent).toMatchObject({ code: 2, error: expect.stringMatching(/no terminal.*"vm-app"/) })
  expect(silent.events.at(-1)?.ms).toBeLessThan(20_000)
  const dry = await trust('vm-app', '--dry-run')
  expect(dry.code).toBe(0)
  expect(dry.events).toContainEqual(
    expect.objectContaining({
      event: 'change',
      state: 'would',
      command: expect.stringMatching(/^add 192\.168\.2\.14 to /),
    }),
  )
  expect(await known()).toEqual([])
})

test('a key that has changed: refused, and taken in its place with --replace', async () => {
  const [, type, key] = (await lineOf('192.168.2.10')).split(' ')
  const other = await lineOf('192.168.2.11')
  await writeFile(knownHosts, `# mine\n192.168.2.14 ${type} ${key}\n${other}\n`)
  const fingerprint = await fingerprintOf('vm-app')

  const refused = await trust('vm-app', '--fingerprint', fingerprint)
  expect(refused.code).toBe(1)
  expect(refused.error).toMatch(/known_hosts line 2 has another key for vm-app\n/)
  expect(refused.error).toMatch(/network-trust\.ts --host vm-app --replace --inventory \S+$/)
  expect(await known()).toEqual([`192.168.2.14 ${type} ${key}`, other])

  const replaced = await trust('vm-app', '--fingerprint', fingerprint, '--replace')
  expect(replaced).toMatchObject({ code: 0, error: '' })
  expect(await known()).toEqual([other, await lineOf('192.168.2.14')])
  expect(await readFile(knownHosts, 'utf8')).toMatch(/^# mine\n/)
  expect(await readlink(join(home, '.ssh', 'known_hosts'))).toBe(knownHosts)
})

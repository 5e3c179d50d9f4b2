import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'

import { openLab } from '../lab.ts'
import { provisionPostgres } from '../postgres.ts'
import { makeKey } from '../secrets.ts'
import { appOf, clusterOf, type Draft, draftOf, sshOf } from './draft.ts'
import { Stage } from './stage.ts'
import { notes, type Outcome, runTask } from './task-run.ts'
import { expectUntouched, stateToKeep } from './untouched.ts'

const lab = openLab()
let stage: Stage
let before: string
let folder: string

beforeAll(async () => {
  await provisionPostgres(lab)
  stage = await Stage.open(lab)
  await stage.reset()
  before = await stateToKeep(lab, stage)
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-reach-'))
  await makeKey(join(folder, 'stranger'), 'a key that nobody knows')
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await stage.close()
})
afterEach(async () => expectUntouched(lab, stage, before))

async function reset(change: (draft: Draft) => void, flags: string[], env: NodeJS.ProcessEnv = {}) {
  const inventory = await draftOf(stage, change)
  return runTask(lab, 'pg-reset', ['--inventory', inventory, '--database', 'weltenwind', ...flags], { env })
}

/** A home folder of the operator with these files in its `.ssh`, and nothing else. */
async function homeWith(name: string, files: Record<string, string>): Promise<string> {
  const ssh = join(folder, name, '.ssh')
  await mkdir(ssh, { recursive: true, mode: 0o700 })
  for (const [file, text] of Object.entries(files)) await writeFile(join(ssh, file), text, { mode: 0o600 })
  return join(folder, name)
}

async function knownHosts(): Promise<string[]> {
  return (await readFile(lab.files.knownHosts, 'utf8')).split('\n').filter((line) => line !== '')
}

async function homeThatForgot(address: string): Promise<string> {
  const others = (await knownHosts()).filter((line) => !line.startsWith(`${address} `))
  return homeWith(`without-${address}`, { known_hosts: `${others.join('\n')}\n` })
}

/** Without the standby: what is wrong with the primary is then all there is to tell. */
function primaryOnly(draft: Draft): void {
  clusterOf(draft).cluster.hosts = ['pg-primary']
}

/** No key in the inventory: those of the home folder and the agent are left. */
function keyless({ hosts }: Draft): void {
  for (const { ssh } of Object.values(hosts)) delete ssh?.['key']
}

/** The whole run, seen from its first connection to the last look at the server, and no machine missing. */
function expectAllReached(outcome: Outcome): void {
  expect(outcome).toMatchObject({ code: 0, error: '' })
  expect(notes(outcome)).toMatch(/weltenwind on pg-primary/)
  expect(notes(outcome)).not.toMatch(/no answer/)
}

describe('a machine that is not reached: exit 3, which one, why, and what to run', () => {
  test('unknown host key', async () => {
    const home = await homeThatForgot('192.168.2.14')
    const outcome = await reset(() => {}, ['--yes'], { HOME: home })
    expect(outcome.code).toBe(3)
    expect(outcome.error).toMatch(
      /^vm-app: unknown host key of 192\.168\.2\.14: ssh-ed25519 SHA256:\S{43} is not in .*\/without-192\.168\.2\.14\/\.ssh\/known_hosts\n/,
    )
    expect(outcome.error).toMatch(
      /\nnpx tsx tasks\/network-trust\.ts --host vm-app --inventory \S*draft-\d+\.json/,
    )
  })

  test('changed host key', async () => {
    const [type, key] = (await readFile(join(folder, 'stranger.pub'), 'utf8')).split(' ')
    const lines = (await knownHosts()).map((line) =>
      line.startsWith('192.168.2.14 ') ? `192.168.2.14 ${type} ${key}` : line,
    )
    const home = await homeWith('changed', { known_hosts: `${lines.join('\n')}\n` })
    const outcome = await reset(() => {}, ['--yes'], { HOME: home })
    const line = lines.findIndex((one) => one.startsWith('192.168.2.14 ')) + 1
    expect(outcome.code).toBe(3)
    expect(outcome.error).toMatch(/^vm-app: the host key of 192\.168\.2\.14 has changed: /)
    expect(outcome.error).toContain(`/changed/.ssh/known_hosts line ${line} has another one`)
    expect(outcome.error).toMatch(/network-trust\.ts --host vm-app --inventory \S+ --replace$/)
  })

  test('key refused', async () => {
    const key = join(folder, 'stranger')
    const outcome = await reset((draft) => (sshOf(draft, 'vm-app')['key'] = key), ['--yes'])
    expect(outcome).toMatchObject({
      code: 3,
      error: `vm-app: sshd at 192.168.2.14:22 did not let ops in. Offered: key ${key}
put your public key into ~ops/.ssh/authorized_keys there, or name the right key in hosts.vm-app.ssh.key`,
    })
  })

  test('port closed', async () => {
    const outcome = await reset((draft) => (sshOf(draft, 'vm-app')['port'] = 2200), ['--yes'])
    expect(outcome).toMatchObject({
      code: 3,
      error: `vm-app: nothing listens on 192.168.2.14:2200 (connection refused)
ssh -p 2200 ops@192.168.2.14   # is it up?`,
    })
  })

  test('a machine that is off, and one behind a jump host that is off', async () => {
    await Promise.all([lab.poweroff('vm-app'), lab.poweroff('pve')])
    // Without it the workstation takes them to be there for a while yet, and only waits longer.
    await lab.controller('ip', ['neigh', 'flush', 'all'])
    try {
      const outcome = await reset((draft) => (clusterOf(draft).cluster.hosts = ['pg-replica']), ['--yes'])
      expect(outcome.code).toBe(3)
      expect(outcome.error).toMatch(/^2 problems:\n/)
      expect(outcome.error).toMatch(
        /- pg-replica: the way there leads through pve: (no route to|no answer from) 192\.168\.2\.10:22.*\n {2}next: ssh -p 22 root@192\.168\.2\.10 /,
      )
      expect(outcome.error).toMatch(
        /- vm-app: (no route to|no answer from) 192\.168\.2\.14:22.*\n {2}next: ssh -p 22 ops@192\.168\.2\.14 /,
      )
      expect(outcome.ms).toBeLessThan(30_000)
    } finally {
      await Promise.all([lab.poweron('vm-app'), lab.poweron('pve')])
    }
  })

  test('several things on several machines: one run tells all of them', async () => {
    const outcome = await reset(
      (draft) => {
        sshOf(draft, 'pg-primary')['port'] = 2200
        sshOf(draft, 'pve')['user'] = 'nobody'
        sshOf(draft, 'vm-app')['key'] = join(folder, 'stranger')
        delete appOf(draft).seed
      },
      ['--yes'],
    )
    expect(outcome.code).toBe(2)
    expect(outcome.error).toMatch(/^4 problems:\n/)
    expect(outcome.error).toMatch(/- no app in \S+ has a seed command for weltenwind/)
    expect(outcome.error).toMatch(/- pg-primary: nothing listens on 192\.168\.2\.11:2200/)
    expect(outcome.error).toMatch(
      /- pg-replica: the way there leads through pve: sshd at 192\.168\.2\.10:22 did not let nobody in/,
    )
    expect(outcome.error).toMatch(/- vm-app: sshd at 192\.168\.2\.14:22 did not let ops in/)
    expect(outcome.error.match(/^ {2}next: /gm)).toHaveLength(3)
  })

  test('the primary alone: the standby that answers is no reason to promote it', async () => {
    const home = await homeThatForgot('192.168.2.11')
    const outcome = await reset(() => {}, ['--yes'], { HOME: home })
    expect(outcome.code).toBe(3)
    expect(outcome.error).toMatch(
      /^pg-replica is a standby, and no primary was found; no answer from the others: pg-primary: unknown host key/,
    )
    expect(outcome.error).toMatch(/network-trust\.ts --host pg-primary/)
    expect(outcome.error).not.toMatch(/promote/)
  })
})

describe('a machine that lets us in, and no further', () => {
  test('wrong sudo password', async () => {
    const outcome = await reset(primaryOnly, ['--yes'], { PG_PRIMARY_SUDO_PASSWORD: 'not-the-one' })
    expect(outcome).toMatchObject({
      code: 3,
      error: `pg-primary: sudo did not accept the password of ops
check it by hand: ssh ops@<pg-primary> sudo -k true`,
    })
  })

  test('sudo refused', async () => {
    await lab.sh('pg-primary', 'gpasswd -d ops sudo')
    try {
      const outcome = await reset(primaryOnly, ['--yes'])
      expect(outcome.code).toBe(3)
      expect(outcome.error).toMatch(
        /^pg-primary: ops may not become postgres by sudo .*not in the sudoers file/,
      )
      expect(outcome.error).toMatch(/\nas root there: adduser ops sudo$/)
    } finally {
      await lab.sh('pg-primary', 'gpasswd -a ops sudo')
    }
  })

  test('no bash, neither for us nor behind sudo', async () => {
    const { sudo } = await lab.secrets()
    const hosts = ['pg-primary', 'vm-app']
    // The lab's own scripts need bash too, so it comes back by the way that is left: ssh and sh.
    const back = "sudo -S -p '' sh -c 'mv /usr/bin/bash.away /usr/bin/bash && usermod -s /bin/bash ops'"
    await Promise.all(
      hosts.map((host) => lab.sh(host, 'usermod -s /bin/sh ops; mv /usr/bin/bash /usr/bin/bash.away')),
    )
    try {
      const outcome = await reset(primaryOnly, ['--yes'])
      expect(outcome).toMatchObject({
        code: 3,
        error: `2 problems:
- pg-primary: there is no bash
  next: as root there: apt-get install bash
- vm-app: there is no bash
  next: as root there: apt-get install bash`,
      })
    } finally {
      await Promise.all(
        hosts.map((host) =>
          lab.controller('ssh', ['-F', lab.files.sshConfig, host, back], { input: `${sudo}\n` }),
        ),
      )
    }
  })
})

describe('ways to a machine that work', () => {
  test('behind a jump host, and on port 2222', async () => {
    const outcome = await reset((draft) => (appOf(draft).host = 'vm-proxy'), ['--dry-run'])
    expectAllReached(outcome)
    expect(outcome.events).toContainEqual(
      expect.objectContaining({ event: 'change', state: 'would', host: 'vm-proxy', user: 'root' }),
    )
  })

  test('a key with a passphrase: the right one, a wrong one, none', async () => {
    const key = join(folder, 'locked')
    await copyFile(lab.files.key, key)
    await execa('ssh-keygen', ['-q', '-p', '-N', 'open sesame', '-f', key])
    const locked = (draft: Draft): void => {
      Object.assign(sshOf(draft, 'vm-app'), { key, passphrase: 'env:KEY_PASSPHRASE' })
    }
    const env = join(dirname(stage.inventory), '.env')
    const plain = await readFile(env, 'utf8')
    await writeFile(env, `${plain}KEY_PASSPHRASE="open sesame"\n`)
    try {
      expectAllReached(await reset(locked, ['--dry-run']))
    } finally {
      await writeFile(env, plain)
    }
    const wrong = await reset(locked, ['--yes'], { KEY_PASSPHRASE: 'open barley' })
    expect(wrong).toMatchObject({
      code: 3,
      error: expect.stringMatching(
        /^vm-app: sshd at .* did not let ops in. Offered: key \S+: the passphrase is wrong/,
      ),
    })
    const none = await reset(locked, ['--yes'])
    expect(none).toMatchObject({ code: 2, error: expect.stringContaining('KEY_PASSPHRASE') })
  })

  test('ssh-agent, and what is said when it is gone', async () => {
    const socket = join(folder, 'agent.sock')
    const home = await homeWith('agent', { known_hosts: `${(await knownHosts()).join('\n')}\n` })
    const env = { HOME: home, SSH_AUTH_SOCK: socket }
    const agent = lab.controller('ssh-agent', ['-D', '-a', socket], { reject: false })
    try {
      await vi.waitUntil(() => existsSync(socket), { timeout: 10_000 })
      await lab.controller('ssh-add', ['-q', lab.files.key], { env })
      expectAllReached(await reset(keyless, ['--dry-run'], env))
    } finally {
      agent.kill()
      await agent
    }
    const gone = await reset(keyless, ['--yes'], env)
    expect(gone.code).toBe(3)
    expect(gone.error).toMatch(
      new RegExp(
        `vm-app: sshd at .* did not let ops in, and the agent does not help: .*Offered: agent ${socket}\n +next: ssh-add -l `,
      ),
    )
  })

  test('~/.ssh/config says all that the inventory does not: name, port, user, key, jump host', async () => {
    const home = await homeWith('config', { config: await readFile(lab.files.sshConfig, 'utf8') })
    const outcome = await reset(
      (draft) => {
        appOf(draft).host = 'vm-proxy'
        for (const host of Object.values(draft.hosts)) {
          const { sudoPassword } = host.ssh ?? {}
          delete host.addresses
          delete host.ssh
          if (sudoPassword !== undefined) host.ssh = { sudoPassword }
        }
      },
      ['--dry-run'],
      { HOME: home },
    )
    expectAllReached(outcome)
  })
})

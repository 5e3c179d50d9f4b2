import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { readSshConfig, sshSettings, type SshSettings } from '../../../lib/host/ssh-settings.ts'
import { estateOf, failure } from '../doubles.ts'

const inventory = {
  networks: { internal: { cidr: '10.0.0.0/24' }, lan: { cidr: '192.0.2.0/24' } },
  hosts: {
    bare: { addresses: { internal: '10.0.0.2', lan: '192.0.2.2' } },
    full: {
      addresses: { internal: '10.0.0.3', lan: '192.0.2.3' },
      ssh: { network: 'lan', user: 'ops', port: 2222, key: '~/.ssh/estate', jump: 'bare' },
    },
    named: {},
  },
}

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-config-'))
  vi.stubEnv('SSH_AUTH_SOCK', '/run/agent.sock')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

async function settingsOf(host: string, ...config: string[]): Promise<SshSettings> {
  const file = join(folder, 'config')
  await writeFile(file, config.join('\n'))
  return sshSettings(await estateOf(inventory), await readSshConfig(file), host)
}

const home = (path: string): string => join(homedir(), path)

describe('without an ssh config', () => {
  test('the defaults of ssh', async () => {
    const config = await readSshConfig(join(folder, 'missing'))
    expect(config).toBeUndefined()
    expect(sshSettings(await estateOf(inventory), config, 'bare')).toEqual({
      host: 'bare',
      address: '10.0.0.2',
      port: 22,
      user: userInfo().username,
      keys: [home('.ssh/id_ed25519'), home('.ssh/id_ecdsa'), home('.ssh/id_rsa')],
      agent: '/run/agent.sock',
      jump: undefined,
      knownHosts: [home('.ssh/known_hosts'), home('.ssh/known_hosts2'), '/etc/ssh/ssh_known_hosts'],
    })
  })

  test('the inventory over the defaults', async () => {
    expect(await settingsOf('full')).toMatchObject({
      address: '192.0.2.3',
      port: 2222,
      user: 'ops',
      keys: [home('.ssh/estate')],
      jump: 'bare',
    })
  })

  test('a machine without an address is looked up by its name', async () => {
    expect(await settingsOf('named')).toMatchObject({ host: 'named', address: 'named', port: 22 })
  })
})

describe('the ssh config', () => {
  const everything = [
    '  User deploy',
    '  Port 2200',
    '  IdentityFile "~/my keys/one"',
    '  IdentityFile %d/.ssh/two',
    '  IdentityAgent "~/Library/Group Containers/agent.sock"',
    '  ProxyJump gate',
    '  UserKnownHostsFile ~/.ssh/estate_hosts /srv/known_hosts',
  ]
  const result = {
    port: 2200,
    user: 'deploy',
    keys: [home('my keys/one'), home('.ssh/two')],
    agent: home('Library/Group Containers/agent.sock'),
    jump: 'gate',
    knownHosts: [home('.ssh/estate_hosts'), '/srv/known_hosts', '/etc/ssh/ssh_known_hosts'],
  }

  test('fills in what the inventory leaves open', async () => {
    expect(await settingsOf('bare', 'Host bare', ...everything)).toEqual({
      host: 'bare',
      address: '10.0.0.2',
      ...result,
    })
  })

  test('is looked up by the address too', async () => {
    expect(await settingsOf('bare', 'Host 10.0.0.*', ...everything)).toMatchObject(result)
  })

  test('reads its options whatever their case', async () => {
    expect(
      await settingsOf('bare', 'host bare', ...everything.map((line) => line.toLowerCase())),
    ).toMatchObject({ port: 2200, user: 'deploy', jump: 'gate' })
  })

  test('yields to the inventory', async () => {
    expect(await settingsOf('full', 'Host full', '  HostName 198.51.100.1', ...everything)).toMatchObject({
      address: '192.0.2.3',
      port: 2222,
      user: 'ops',
      keys: [home('.ssh/estate')],
      jump: 'bare',
      agent: result.agent,
    })
  })

  test('gives a machine its address', async () => {
    expect(await settingsOf('named', 'Host named', '  HostName %h.example')).toMatchObject({
      address: 'named.example',
    })
  })

  test('does not run the commands of Match exec', async () => {
    const trace = join(folder, 'trace')
    await settingsOf('bare', `Match exec "touch ${trace}"`, '  User other')
    expect(await readSshConfig(trace)).toBeUndefined()
  })

  test('IdentityAgent none: no agent', async () => {
    expect(await settingsOf('bare', 'IdentityAgent none')).toMatchObject({ agent: undefined })
    expect(await settingsOf('bare', 'IdentityAgent SSH_AUTH_SOCK')).toMatchObject({
      agent: '/run/agent.sock',
    })
  })
})

describe('jumps', () => {
  test('a jump host that the inventory does not know', async () => {
    expect(await settingsOf('gate.example')).toMatchObject({
      host: 'gate.example',
      address: 'gate.example',
      port: 22,
    })
    expect(await settingsOf('anna@gate.example:2200')).toMatchObject({
      host: 'anna@gate.example:2200',
      address: 'gate.example',
      port: 2200,
      user: 'anna',
    })
  })

  test('a jump host that only the ssh config knows', async () => {
    expect(
      await settingsOf('anna@gate', 'Host gate', '  HostName 198.51.100.7', '  Port 443', '  User root'),
    ).toMatchObject({ address: '198.51.100.7', port: 443, user: 'anna' })
  })

  test('none', async () => {
    expect(await settingsOf('bare', 'ProxyJump none')).toMatchObject({ jump: undefined })
  })

  test('a jump for all machines does not let the jump host wait for itself', async () => {
    const config = ['Host *', '  ProxyJump bare']
    expect(await settingsOf('bare', ...config)).toMatchObject({ jump: undefined })
    expect(await settingsOf('named', 'Host named', '  HostName 198.51.100.1', ...config)).toMatchObject({
      jump: 'bare',
    })
  })

  test('several hops: what to write instead', async () => {
    expect(await failure(settingsOf('bare', 'ProxyJump one,two'))).toMatchObject({
      message: 'bare: ProxyJump one,two has several hops',
      next: 'give each hop its own ProxyJump',
    })
  })
})

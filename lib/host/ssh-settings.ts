import { readFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'

import type SSHConfig from 'ssh-config'

import type { Estate } from '../inventory/estate.ts'
import { HostError } from './errors.ts'

/** All that is needed to reach one machine; inventory first, then ~/.ssh/config, then ssh's defaults. */
export interface SshSettings {
  /** As the inventory (or a ProxyJump) calls it. */
  host: string
  address: string
  port: number
  user: string
  keys: string[]
  /** Path of the agent's socket or, on Windows, pipe. */
  agent: string | undefined
  /** The machine to go through, by its name. */
  jump: string | undefined
  knownHosts: string[]
}

const defaultKeys = ['id_ed25519', 'id_ecdsa', 'id_rsa']

export async function readSshConfig(
  file = join(homedir(), '.ssh', 'config'),
): Promise<SSHConfig | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const { default: Config } = await import('ssh-config')
  return Config.parse(text)
}

/** @throws HostError 'address' when the way there cannot be gone. A machine without an address is looked up by its name. */
export function sshSettings(estate: Estate, config: SSHConfig | undefined, host: string): SshSettings {
  const entry = estate.hosts[host]
  const ssh = entry?.ssh
  const [, jumpUser, jumpHost, jumpPort] = /^(?:([^@]+)@)?([^:]+)(?::(\d+))?$/.exec(host) ?? []
  const bare = entry ? host : (jumpHost ?? host)
  const known = entry?.addresses ? estate.addressOf(host, ssh?.network) : undefined
  const fromConfig = compute(config, bare, known)
  const address = known ?? fromConfig.one('HostName')?.replaceAll('%h', bare) ?? bare
  const jump = ssh?.jump ?? fromConfig.one('ProxyJump')
  if (jump?.includes(',')) {
    throw new HostError(
      host,
      'address',
      `ProxyJump ${jump} has several hops`,
      'give each hop its own ProxyJump',
    )
  }
  const named = ssh?.key ? [ssh.key] : fromConfig.all('IdentityFile')
  return {
    host,
    address,
    port: ssh?.port ?? Number(jumpPort ?? fromConfig.one('Port') ?? 22),
    user: ssh?.user ?? jumpUser ?? fromConfig.one('User') ?? userInfo().username,
    keys: (named.length > 0 ? named : defaultKeys.map((name) => `~/.ssh/${name}`)).map(expand),
    agent: agentSocket(fromConfig.one('IdentityAgent')),
    // `Host *` with a ProxyJump holds for the jump host too, which would wait for itself.
    jump: jump === 'none' || jump === host ? undefined : jump,
    knownHosts: knownHostsFiles(fromConfig.all('UserKnownHostsFile')),
  }
}

function compute(config: SSHConfig | undefined, name: string, address: string | undefined): Answers {
  if (!config) return new Answers({})
  // ssh reads its options without regard to case: `Hostname` is as good as `HostName`.
  const how = { matchExec: false, ignoreCase: true }
  const byName = config.compute(name, how)
  const byAddress = address ? config.compute(address, how) : {}
  return new Answers({ ...byAddress, ...byName })
}

/** The library gives a string for most options and a list for those that may repeat. */
class Answers {
  readonly #values: Record<string, string | string[] | undefined>

  constructor(values: Record<string, string | string[] | undefined>) {
    this.#values = values
  }

  all(option: string): string[] {
    return [this.#values[option.toLowerCase()] ?? []].flat()
  }

  one(option: string): string | undefined {
    return this.all(option)[0]
  }
}

function agentSocket(configured: string | undefined): string | undefined {
  if (configured === 'none') return undefined
  if (configured && configured !== 'SSH_AUTH_SOCK') return expand(configured)
  if (process.env['SSH_AUTH_SOCK']) return process.env['SSH_AUTH_SOCK']
  return process.platform === 'win32' ? String.raw`\\.\pipe\openssh-ssh-agent` : undefined
}

function knownHostsFiles(configured: string[]): string[] {
  const user = configured.length > 0 ? configured : ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']
  return [...user.map(expand), ...(process.platform === 'win32' ? [] : ['/etc/ssh/ssh_known_hosts'])]
}

function expand(path: string): string {
  return path.replace(/^~(?=[/\\]|$)|%d/, homedir())
}

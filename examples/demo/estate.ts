import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { escapeLiteral } from 'pg'

import { type Cluster, startCluster } from './cluster.ts'
import { appRole } from './inventory.ts'
import { generateKey } from './keys.ts'
import { type Sshd, type SshdOptions, startSshd } from './sshd.ts'

/** Two hosts and a PostgreSQL cluster on loopback, and a folder with all that a task needs to reach them. */
export interface DemoEstate {
  readonly folder: string
  readonly cluster: Cluster
  readonly dbHost: Sshd
  readonly appHost: Sshd
  /** For a task that works on it: a home of its own, with key and known_hosts, where its journal goes too. */
  readonly env: NodeJS.ProcessEnv
  /** Password of the app's role. */
  readonly password: string
  close(): Promise<void>
}

/** @param host how its hosts behave */
export async function startEstate(host: Partial<SshdOptions> = {}): Promise<DemoEstate> {
  const folder = await mkdtemp(join(tmpdir(), 'hausmeister-demo-'))
  const parts: { close(): Promise<void> }[] = [{ close: () => rm(folder, { recursive: true, force: true }) }]
  const close = async (): Promise<void> => {
    for (const part of parts.toReversed()) await part.close()
  }
  try {
    const ssh = join(folder, 'home', '.ssh')
    await mkdir(ssh, { recursive: true, mode: 0o700 })
    const key = generateKey('demo')
    await writeFile(join(ssh, 'id_ed25519'), key.private, { mode: 0o600 })
    const startHost = async (): Promise<Sshd> => {
      const started = await startSshd({ authorizedKeys: [key.public], home: folder, ...host })
      parts.push(started)
      return started
    }
    const [dbHost, appHost] = [await startHost(), await startHost()]
    await writeFile(join(ssh, 'known_hosts'), `${dbHost.knownHost}\n${appHost.knownHost}\n`)
    const cluster = await startCluster()
    parts.push({ close: () => cluster.stop() })
    const password = randomBytes(24).toString('base64url')
    const admin = await cluster.connect()
    await admin.query(`create role ${appRole} login password ${escapeLiteral(password)}`)
    await admin.end()
    return { folder, cluster, dbHost, appHost, password, env: environment(join(folder, 'home')), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Ours, without what would lead a task to the operator's own keys, agent and journal. */
function environment(home: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(XDG_|SSH_|PG|npm_|HOME$)/i.test(name))
  // npm, in a home that it does not know, would ask its registry for a newer npm.
  return { ...Object.fromEntries(own), HOME: home, npm_config_update_notifier: 'false' }
}

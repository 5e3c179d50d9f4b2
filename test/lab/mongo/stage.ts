import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Evidence, Manifest } from '../../../lib/backup/manifest.ts'
import { objects, readObject } from '../bucket.ts'
import { type Outcome, type RunOptions, runTask } from '../faults/task-run.ts'
import type { Lab } from '../lab.ts'

/** The machines of the replica set. */
export const members = ['vm-assets', 'vm-grafana', 'vm-proxy'] as const
export type Member = (typeof members)[number]

const peer = fileURLToPath(new URL('peer.py', import.meta.url))
const folder = 'weltenwind/mongo/rs0/webapp/'

/** Made anew for each stage. With what a shell, YAML and a URL would each take for something else. */
const password = `${Math.random().toString(36)} "'$x\\%:@/`

/** A replica set of peers, the lab's store, and an inventory with both. */
export class MongoStage {
  readonly lab: Lab
  readonly #folder: string

  private constructor(lab: Lab, temporary: string) {
    this.lab = lab
    this.#folder = temporary
  }

  /** The first member is the primary; the others are secondaries that have all that it has. */
  static async open(lab: Lab): Promise<MongoStage> {
    const temporary = await mkdtemp(join(tmpdir(), 'hausmeister-mongo-'))
    const stage = new MongoStage(lab, temporary)
    const own = await readFile(lab.files.env, 'utf8')
    await writeFile(join(temporary, '.env'), [own, `MONGO_PASSWORD=${quoted(password)}`, ''].join('\n'), {
      mode: 0o600,
    })
    const program = await readFile(peer, 'utf8')
    for (const [index, member] of members.entries()) {
      await lab.sh(
        member,
        `cd /usr/bin; cat > mongo-peer; chmod 755 mongo-peer
for name in mongosh mongodump mongorestore; do ln -sf mongo-peer $name; done
rm -rf /var/lib/mongo-peer`,
        { input: program },
      )
      await stage.set(member, { role: index === 0 ? 'PRIMARY' : 'SECONDARY', user: 'hausmeister', password })
      await stage.peer(member, 'fill webapp users 3000')
      await stage.peer(member, 'fill webapp empty 0')
      await stage.peer(member, 'view webapp seen users')
    }
    return stage
  }

  async peer(member: Member, words: string): Promise<void> {
    await this.lab.sh(member, `mongo-peer ${words}`)
  }

  /** Changes how a member is. */
  async set(member: Member, state: Record<string, unknown>): Promise<void> {
    const words = Object.entries(state).map(([key, value]) => shellQuoted(`${key}=${JSON.stringify(value)}`))
    await this.peer(member, `set ${words.join(' ')}`)
  }

  /** Runs a task on the operator's workstation. */
  async run(
    task: string,
    flags: string[],
    backup: Record<string, unknown> = {},
    options: RunOptions = {},
  ): Promise<Outcome> {
    const inventory = JSON.parse(await readFile(this.lab.files.inventory, 'utf8'))
    const changed = {
      ...inventory,
      apps: {},
      postgres: {},
      mongo: {
        rs0: {
          hosts: members,
          replicaSet: 'rs0',
          login: { user: 'hausmeister', password: 'env:MONGO_PASSWORD' },
          databases: { webapp: { environment: 'production' }, gone: { environment: 'test' } },
        },
      },
      backup: { ...inventory.backup, databases: ['webapp'], checks: {}, ...backup },
    }
    const file = join(this.#folder, 'inventory.json')
    await writeFile(file, JSON.stringify(changed))
    return runTask(this.lab, task, ['--inventory', file, ...flags], options)
  }

  /** Names of its backups with a manifest, the oldest first. */
  async ids(): Promise<string[]> {
    const keys = await objects(this.lab, folder)
    return keys.flatMap((key) =>
      key.endsWith('/manifest.json') ? [key.slice(folder.length).split('/')[0] ?? ''] : [],
    )
  }

  async manifest(id: string): Promise<Manifest> {
    return Manifest.parse(JSON.parse(await readObject(this.lab, `${folder}${id}/manifest.json`)))
  }

  /** What was recorded with a backup, the oldest first. */
  async evidence(id: string): Promise<Evidence[]> {
    const keys = await objects(this.lab, `${folder}${id}/verified/`)
    return Promise.all(keys.map(async (key) => Evidence.parse(JSON.parse(await readObject(this.lab, key)))))
  }

  archiveOf(id: string): string {
    return `${folder}${id}/archive.age`
  }

  /** Databases of a member. */
  async databases(member: Member): Promise<string[]> {
    return this.#lines(member, 'ls /var/lib/mongo-peer/data')
  }

  /** Collections of webapp, and how large their documents are; times are left out. */
  async collections(member: Member): Promise<string[]> {
    const lines = await this.#lines(
      member,
      'cd /var/lib/mongo-peer/data/webapp; for file in *.bson; do echo "${file%.bson} $(stat -c %s "$file")"; done',
    )
    return lines.map((line) => line.replaceAll(/\d{8}T\d{6}Z/g, '<time>')).toSorted()
  }

  async #lines(member: Member, script: string): Promise<string[]> {
    const { stdout } = await this.lab.sh(member, script)
    return stdout.split('\n').filter((line) => line !== '')
  }

  /** Waits until a program of the peer is in the middle of what it does. */
  async untilHolding(member: Member): Promise<void> {
    await this.lab.sh(
      member,
      'until [ -e /var/lib/mongo-peer/holding ]; do sleep 0.1; done; rm /var/lib/mongo-peer/holding',
    )
  }

  /** Whether the password stands anywhere that others can see on a member. */
  async seen(member: Member): Promise<string> {
    const { stdout } = await this.lab.sh(
      member,
      `read -r secret; grep -rlF -- "$secret" /proc/[0-9]*/cmdline /tmp /var/tmp /dev/shm /var/log 2>/dev/null || true`,
      { input: `${password}\n` },
    )
    return stdout
  }

  async close(): Promise<void> {
    for (const member of members) {
      await this.lab.sh(member, 'rm -rf /var/lib/mongo-peer /usr/bin/mongo{-peer,sh,dump,restore}')
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** For a `.env`: none of our passwords has this character. */
function quoted(value: string): string {
  return `\`${value}\``
}

function shellQuoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`
}

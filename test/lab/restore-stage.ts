import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { inBucket, makeBucket, objects, readObject } from './bucket.ts'
import { type Outcome, type RunOptions, runTask } from './faults/task-run.ts'
import type { Lab } from './lab.ts'
import { psqlOn } from './postgres.ts'

/** What the backups of a stage are of. */
export interface Shelf {
  /** What `--only` calls it. */
  name: string
  /** Where they are in the bucket, as it stands in a URL. */
  at: string
  objects: string[]
}

const ofDatabase: Shelf = {
  name: 'weltenwind',
  at: 'weltenwind/postgres/main/weltenwind/',
  objects: ['dump.age', 'globals.age', 'manifest.json'],
}

export interface Fields {
  backup?: Record<string, unknown>
  /** Of the cluster main. */
  main?: Record<string, unknown>
  /** Clusters beside it. */
  others?: Record<string, unknown>
}

/** The lab's database or a folder, and its store, with an inventory that a test changes. */
export class RestoreStage {
  readonly lab: Lab
  readonly inventory: string
  readonly #folder: string
  readonly #shelf: Shelf

  private constructor(lab: Lab, temporary: string, shelf: Shelf) {
    this.lab = lab
    this.#folder = temporary
    this.#shelf = shelf
    this.inventory = join(temporary, 'inventory.json')
  }

  /** @param env lines for the `.env` beside the lab's own */
  static async open(
    lab: Lab,
    { shelf = ofDatabase, env = [] }: { shelf?: Shelf; env?: string[] } = {},
  ): Promise<RestoreStage> {
    const temporary = await mkdtemp(join(tmpdir(), 'hausmeister-restore-'))
    const own = await readFile(lab.files.env, 'utf8')
    await writeFile(join(temporary, '.env'), [own, ...env, ''].join('\n'), { mode: 0o600 })
    return new RestoreStage(lab, temporary, shelf)
  }

  /** Runs a task on the operator's workstation, with these fields of the inventory changed. */
  async run(
    task: string,
    flags: string[] = [],
    fields: Fields = {},
    options: RunOptions = {},
  ): Promise<Outcome> {
    await this.write(fields)
    return runTask(this.lab, task, ['--inventory', this.inventory, ...flags], options)
  }

  /** The inventory with these fields changed. */
  async write({ backup, main, others }: Fields): Promise<void> {
    const inventory = JSON.parse(await readFile(this.lab.files.inventory, 'utf8'))
    delete inventory.postgres.main.pooler
    Object.assign(inventory.postgres.main, main)
    Object.assign(inventory.postgres, others)
    const changed = { ...inventory, apps: {}, backup: { ...inventory.backup, ...backup } }
    await writeFile(this.inventory, JSON.stringify(changed))
  }

  verify(id: string, fields: Fields = {}, options: RunOptions = {}): Promise<Outcome> {
    return this.run('backup-verify', ['--only', this.#shelf.name, '--backup', id], fields, options)
  }

  restore(flags: string[], fields: Fields = {}, options: RunOptions = {}): Promise<Outcome> {
    return this.run('backup-restore', ['--database', 'weltenwind', '--yes', ...flags], fields, options)
  }

  /** SQL as postgres on a machine; unaligned, tuples only. */
  psql(host: string, statement: string, database?: string): Promise<string> {
    return psqlOn(this.lab, host, statement, database)
  }

  /** Names of the databases that restores make, and their comments. */
  async scratches(host = 'pg-primary'): Promise<string> {
    return this.psql(
      host,
      String.raw`select datname from pg_database where datname ~ '__(verify|restore)_\d'`,
    )
  }

  makeBucket(): Promise<void> {
    return makeBucket(this.lab)
  }

  /** Makes a backup, and tells its name. */
  async backUp(fields: Fields = {}): Promise<string> {
    const before = await this.ids()
    const run = await this.run('backup-now', ['--only', this.#shelf.name], fields)
    const made = (await this.ids()).filter((id) => !before.includes(id))
    if (run.code !== 0 || made.length !== 1) throw new Error(`no backup: ${run.error}`)
    return made[0] ?? ''
  }

  async ids(): Promise<string[]> {
    const folder = decodeURIComponent(this.#shelf.at)
    const keys = await objects(this.lab, folder)
    return [...new Set(keys.flatMap((key) => key.slice(folder.length).split('/')[0] || []))]
  }

  /** A backup with all its objects under another name. */
  async copy(from: string, to: string): Promise<void> {
    const { at, objects: names } = this.#shelf
    await inBucket(
      this.lab,
      `for name in ${names.join(' ')}; do
      swift -f -X PUT -H "X-Copy-From: /weltenwind-backups/${at}${from}/$name" -H 'Content-Length: 0' "$url/$bucket/${at}${to}/$name"
    done`,
    )
  }

  /** Replaces an object by what a command makes of it on its stdin. */
  async change(id: string, name: string, command: string): Promise<void> {
    const { at } = this.#shelf
    await inBucket(
      this.lab,
      `swift -f -o /tmp/object "$url/$bucket/${at}${id}/${name}"
    ${command} < /tmp/object > /tmp/changed
    swift -f -T /tmp/changed "$url/$bucket/${at}${id}/${name}"; rm /tmp/object /tmp/changed`,
    )
  }

  async remove(id: string, name: string): Promise<void> {
    await inBucket(this.lab, `swift -f -X DELETE "$url/$bucket/${this.#shelf.at}${id}/${name}"`)
  }

  /** What was recorded with a backup, the oldest first. */
  async evidence(id: string): Promise<{ outcome: string; findings: string[]; restoreMs: number }[]> {
    const keys = await objects(this.lab, `${decodeURIComponent(this.#shelf.at)}${id}/verified/`)
    return Promise.all(keys.map(async (key) => JSON.parse(await readObject(this.lab, key))))
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

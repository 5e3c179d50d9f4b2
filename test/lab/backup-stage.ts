import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Manifest } from '../../lib/backup/manifest.ts'
import { objects, readObject } from './bucket.ts'
import { faults } from './faults/store-faults.ts'
import { type Outcome, type RunOptions, runTask } from './faults/task-run.ts'
import type { Lab } from './lab.ts'
import { psqlOn } from './postgres.ts'

/** The lab's databases and store with an inventory that a test changes. */
export class BackupStage {
  readonly lab: Lab
  readonly #folder: string
  #inventories = 0

  private constructor(lab: Lab, folder: string) {
    this.lab = lab
    this.#folder = folder
  }

  /** @param env lines for the `.env` beside the lab's own */
  static async open(lab: Lab, env: string[] = []): Promise<BackupStage> {
    const folder = await mkdtemp(join(tmpdir(), 'hausmeister-backup-'))
    const own = await readFile(lab.files.env, 'utf8')
    await writeFile(join(folder, '.env'), [own, ...env, ''].join('\n'), { mode: 0o600 })
    return new BackupStage(lab, folder)
  }

  /**
   * Runs backup-now on the operator's workstation.
   * @param backup fields of "backup" that are different
   */
  async backUp(
    flags: string[],
    backup: Record<string, unknown> = {},
    options: RunOptions = {},
  ): Promise<Outcome> {
    const inventory = await this.write(backup)
    return runTask(this.lab, 'backup-now', ['--inventory', inventory, ...flags], options)
  }

  /** A new inventory. Each fault of the store has a cluster of its name, so that one can be tried beside another. */
  async write(backup: Record<string, unknown>): Promise<string> {
    const inventory = JSON.parse(await readFile(this.lab.files.inventory, 'utf8'))
    const { store, ...fields } = backup
    const main = { hosts: ['pg-primary', 'pg-replica'], roles: { postgres: {} } }
    const changed = {
      ...inventory,
      postgres: {
        ...Object.fromEntries(faults.map((fault) => [fault, { ...main, databases: databases('ledger') }])),
        main: { ...main, databases: databases('ledger', 'gone', 'vanishing') },
        far: {
          url: 'env:FAR_URL',
          via: 'pg-primary',
          databases: databases('modest'),
          roles: { postgres: {} },
        },
      },
      apps: {},
      backup: {
        ...inventory.backup,
        ...fields,
        store: { ...inventory.backup.store, ...(typeof store === 'object' ? store : {}) },
      },
    }
    const file = join(this.#folder, `inventory-${(this.#inventories += 1)}.json`)
    await writeFile(file, JSON.stringify(changed))
    return file
  }

  /** SQL as postgres on a machine; unaligned, tuples only. */
  psql(host: string, statement: string, database?: string): Promise<string> {
    return psqlOn(this.lab, host, statement, database)
  }

  /** All manifests that there are, the oldest first. */
  async manifests(of: string): Promise<{ at: string; manifest: Manifest }[]> {
    const keys = (await objects(this.lab, `weltenwind/${of}`)).filter((key) => key.endsWith('/manifest.json'))
    return Promise.all(
      keys.map(async (key) => ({
        at: key.slice(0, -'manifest.json'.length),
        manifest: Manifest.parse(JSON.parse(await readObject(this.lab, key))),
      })),
    )
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function databases(...names: string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, { owner: 'postgres', environment: 'test' }]))
}

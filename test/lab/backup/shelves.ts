import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { manifestName, prefixOf, stampOf, timeOf } from '../../../lib/backup/layout.ts'
import type { Evidence } from '../../../lib/backup/manifest.ts'
import { manifestOf } from '../../unit/backup/sample.ts'
import { type Outcome, type RunOptions, runTask } from '../faults/task-run.ts'
import type { Lab } from '../lab.ts'

const day = 24 * 60 * 60 * 1000
const dump = 'a dump, encrypted'

/** Objects by key: a text as it stands in the store. */
export type Objects = Record<string, string>

/** The lab's store with backups that nobody made, and an inventory of its own that knows them. */
export class Shelves {
  readonly lab: Lab
  readonly inventory: string
  readonly #folder: string

  private constructor(lab: Lab, folder: string) {
    this.lab = lab
    this.#folder = folder
    this.inventory = join(folder, 'inventory.json')
  }

  static async open(lab: Lab): Promise<Shelves> {
    const folder = await mkdtemp(join(tmpdir(), 'hausmeister-shelves-'))
    await writeFile(join(folder, 'inventory.json'), await readFile(lab.files.inventory, 'utf8'))
    await writeFile(join(folder, '.env'), await readFile(lab.files.env, 'utf8'), { mode: 0o600 })
    return new Shelves(lab, folder)
  }

  /**
   * One after the other: what is stored last is the newest for the store.
   * @param uploads keys to which an upload is begun, and never ended
   */
  async put(objects: Objects[], uploads: string[] = []): Promise<void> {
    const input = JSON.stringify({ objects, uploads })
    await this.lab.controller('node', ['--import', 'tsx', 'test/lab/backup/put.ts', this.inventory], {
      input,
    })
  }

  run(task: string, flags: string[] = [], options: RunOptions = {}): Promise<Outcome> {
    return runTask(this.lab, task, ['--inventory', this.inventory, ...flags], options)
  }

  /** backup-prune in `hours`, as its clock has it. */
  pruneIn(hours: number, flags: string[] = ['--yes'], options: RunOptions = {}): Promise<Outcome> {
    const later = { file: 'test/lab/backup/prune-later.ts', env: { LATER: String(hours) } }
    return this.run('backup-prune', flags, { ...options, ...later })
  }

  /** Another key for the store, while something is done. */
  async withKey(access: string, secret: string, work: () => Promise<void>): Promise<void> {
    const file = join(this.#folder, '.env')
    const whole = await readFile(file, 'utf8')
    const others = whole.split('\n').filter((line) => !/^BACKUP_(ACCESS|SECRET)_KEY=/.test(line))
    await writeFile(
      file,
      [...others, `BACKUP_ACCESS_KEY=${access}`, `BACKUP_SECRET_KEY=${secret}`, ''].join('\n'),
    )
    try {
      await work()
    } finally {
      await writeFile(file, whole)
    }
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** The folder's name of what was begun that many days ago. */
export function idOf(daysAgo: number): string {
  return stampOf(new Date(Date.now() - daysAgo * day))
}

/** A backup of a database of cluster main, whole unless something is said otherwise. */
export function backup(
  id: string,
  {
    database = 'weltenwind',
    content = dump,
    manifest,
    restored,
  }: {
    database?: string
    /** Of the dump; null: there is none. */
    content?: string | null
    /** Instead of the right one; null: none. */
    manifest?: string | null
    restored?: Evidence['outcome']
  } = {},
): Objects {
  const at = `${prefixOf('weltenwind', { kind: 'postgres', cluster: 'main', database })}${id}/`
  const taken = timeOf(id)?.toISOString() ?? ''
  const right = JSON.stringify(
    manifestOf({ database, begun: taken, taken, parts: [{ name: 'dump.age', bytes: dump.length }] }),
  )
  const evidence: Evidence = {
    format: 1,
    by: 'ops@desk',
    at: new Date().toISOString(),
    restoreMs: 41_200,
    on: 'pg-replica',
    outcome: restored ?? 'good',
    findings: restored === 'bad' ? ['public.worlds has 2 rows, and its manifest says 3'] : [],
  }
  return {
    ...(content === null ? {} : { [`${at}dump.age`]: content }),
    ...(manifest === null ? {} : { [`${at}${manifestName}`]: manifest ?? right }),
    ...(restored ? { [`${at}verified/${stampOf(new Date())}.json`]: JSON.stringify(evidence) } : {}),
  }
}

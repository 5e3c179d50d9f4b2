import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type Outcome, type RunOptions, runTask } from './faults/task-run.ts'
import type { Lab } from './lab.ts'

/** Takes PostgreSQL off a machine, and what tasks have left there; apt keeps the packages. */
const bare = `set -eu
export DEBIAN_FRONTEND=noninteractive
dpkg --configure -a > /dev/null 2>&1
for cluster in $(pg_lsclusters -h 2> /dev/null | awk '{ print $1 "-" $2 }'); do systemctl stop "postgresql@$cluster"; done
packages=$(dpkg-query -W -f '\${Package}\\n' 'postgresql*' 'libpq5' 2> /dev/null || true)
if [ -n "$packages" ]; then apt-get -qq -y purge $packages > /dev/null 2>&1; fi
rm -rf /var/lib/postgresql /etc/postgresql /etc/postgresql-common /var/log/postgresql /run/lock/hausmeister
rm -rf /etc/systemd/system/postgresql@.service.d /etc/systemd/system/postgresql@*-main.service.d /usr/local/sbin/hausmeister-fence-*
systemctl daemon-reload
systemctl reset-failed`

/** A cluster of the lab's machines, with an inventory of its own that tests may change. */
export class ClusterStage {
  readonly lab: Lab
  /** As the last run had it. */
  readonly inventory: string
  readonly #folder: string
  #cluster: Record<string, unknown>

  private constructor(lab: Lab, folder: string, cluster: Record<string, unknown>) {
    this.lab = lab
    this.#folder = folder
    this.inventory = join(folder, 'inventory.json')
    this.#cluster = cluster
  }

  static async open(lab: Lab, hosts: string[]): Promise<ClusterStage> {
    const folder = await mkdtemp(join(tmpdir(), 'hausmeister-cluster-'))
    await writeFile(join(folder, '.env'), await readFile(lab.files.env, 'utf8'), { mode: 0o600 })
    return new ClusterStage(lab, folder, {
      hosts,
      databases: {
        weltenwind: { owner: 'ww_app', shadow: 'weltenwind_shadow', environment: 'development' },
      },
      roles: {
        ww_app: { password: 'env:PG_APP_PASSWORD' },
        replicator: { password: 'env:PG_REPLICATION_PASSWORD' },
      },
      replication: 'replicator',
      access: [
        { role: 'ww_app', database: 'weltenwind', from: 'vm-app' },
        { role: 'ww_app', database: 'weltenwind_shadow', from: 'internal' },
      ],
    })
  }

  /** Runs a task on the operator's workstation, with the cluster as it is but for these fields. */
  async run(
    task: string,
    flags: string[] = [],
    change: Record<string, unknown> = {},
    options: RunOptions = {},
  ): Promise<Outcome> {
    const inventory: Record<string, unknown> = JSON.parse(await readFile(this.lab.files.inventory, 'utf8'))
    const postgres = { main: { ...this.#cluster, ...change } }
    await writeFile(this.inventory, JSON.stringify({ ...inventory, postgres, apps: {} }))
    return runTask(this.lab, task, ['--inventory', this.inventory, ...flags], options)
  }

  /** SQL as postgres on a machine; unaligned, tuples only. */
  async psql(host: string, statement: string, database = 'postgres'): Promise<string> {
    const { stdout } = await this.lab.sh(
      host,
      `cd /; runuser -u postgres -- psql -X -q -At -v ON_ERROR_STOP=1 -d ${database}`,
      { input: statement },
    )
    return stdout
  }

  async makeBare(host: string): Promise<void> {
    await this.lab.sh(host, bare)
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** How many acts a run has done, and how many it found done. */
export function counts({ events }: Outcome): { changed: number; unchanged: number } {
  const of = (state: string) =>
    events.filter((line) => line.event === 'change' && line.state === state).length
  return { changed: of('done'), unchanged: of('unchanged') }
}

/** What a step found, as it stands behind its title. */
export function detailOf({ events }: Outcome, title: RegExp): string | undefined {
  return events.find((line) => line.state === 'done' && title.test(line.title ?? ''))?.detail
}

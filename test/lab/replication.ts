import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { TaskLine } from './faults/task-run.ts'
import type { Lab } from './lab.ts'

export const servers = ['pg-primary', 'pg-replica'] as const
export type ServerHost = (typeof servers)[number]

export const unit = 'postgresql@17-main'
export const data = '/var/lib/postgresql/17/main'

/** SQL as the superuser of one server. */
export async function psql(lab: Lab, host: string, text: string, database = 'postgres'): Promise<string> {
  const command = `cd /; runuser -u postgres -- psql -X -q -At -v ON_ERROR_STOP=1 -d ${database}`
  return (await lab.sh(host, command, { input: text })).stdout.trim()
}

/**
 * Writes on both servers, as an app would, and names those that took it. Never may there be two: that is the one
 * thing no fault may bring about.
 */
export function whoTakesWrites(lab: Lab): Promise<ServerHost[]> {
  return writersAmong(lab, servers)
}

export async function writersAmong<Name extends string>(lab: Lab, hosts: readonly Name[]): Promise<Name[]> {
  const write = 'create table if not exists lab_fence (n int); insert into lab_fence values (1);'
  const answers = await Promise.all(
    hosts.map(async (host) => {
      const command = `cd /; runuser -u postgres -- psql -X -q -v ON_ERROR_STOP=1`
      // A machine without power takes none.
      const result = await lab.sh(host, command, { input: write, nothrow: true }).catch(() => undefined)
      return result?.exitCode === 0 ? [host] : []
    }),
  )
  return answers.flat()
}

/** How many changes a run made, by its last event. */
export function changed(events: TaskLine[]): number {
  return events.filter(({ event, state }) => event === 'change' && state === 'done').length
}

/** The inventory of the lab with parts replaced, beside its `.env`. */
export async function inventoryWith(
  lab: Lab,
  change: (cluster: Record<string, unknown>) => void,
): Promise<{ file: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'hausmeister-replica-'))
  const inventory: { postgres: { main: Record<string, unknown> } } = JSON.parse(
    await readFile(lab.files.inventory, 'utf8'),
  )
  change(inventory.postgres.main)
  const file = join(folder, 'inventory.json')
  await writeFile(file, JSON.stringify(inventory))
  await writeFile(join(folder, '.env'), await readFile(lab.files.env, 'utf8'), { mode: 0o600 })
  return { file, remove: () => rm(folder, { recursive: true }) }
}

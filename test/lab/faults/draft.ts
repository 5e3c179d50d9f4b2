import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import type { Stage } from './stage.ts'

/** The parts of an inventory that tests spoil. */
export interface Draft {
  hosts: Record<string, { addresses?: Record<string, string>; ssh?: Record<string, unknown> }>
  postgres: Record<
    string,
    { hosts: string[]; databases: Record<string, { environment: string; owner: string }> }
  >
  apps: Record<string, { environment: string; host: string; directory: string; seed?: string }>
}

let count = 0

/** Writes a changed inventory beside the stage's own, so that it shares its `.env`. Returns its path. */
export async function draftOf(stage: Stage, change: (draft: Draft) => void): Promise<string> {
  const inventory: Draft = JSON.parse(await readFile(stage.inventory, 'utf8'))
  change(inventory)
  const file = join(dirname(stage.inventory), `draft-${(count += 1)}.json`)
  await writeFile(file, JSON.stringify(inventory, null, 2))
  return file
}

/** The ssh settings of a host, to be changed. */
export function sshOf({ hosts }: Draft, name: string): Record<string, unknown> {
  const ssh = hosts[name]?.ssh
  if (!ssh) throw new Error(`the lab's inventory has no ssh settings for ${name}`)
  return ssh
}

export function clusterOf({ postgres }: Draft) {
  const { main } = postgres
  const database = main?.databases['weltenwind']
  if (!main || !database) throw new Error("the lab's inventory has no database weltenwind")
  return { cluster: main, database }
}

export function appOf({ apps }: Draft) {
  const { light } = apps
  if (!light) throw new Error('the stage has no app')
  return light
}

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { expect } from 'vitest'

import type { DemoEstate } from '../../examples/demo/estate.ts'
import { addSite, type Site } from '../../examples/demo/site.ts'
import { type DatabaseState, readState } from './databases.ts'
import { allOutput, runReset, type TaskEvent, type TaskRun } from './task.ts'

/** One test's database, app and inventory, and how to run the task on it. */
export interface Place extends Site {
  args: string[]
  before: DatabaseState
  run(args: string[], watch?: Parameters<typeof runReset>[2]): Promise<TaskRun>
  state(): Promise<Record<string, DatabaseState>>
}

/** A database of its own for each test, with a copy that an earlier reset has kept. */
export async function makePlace(estate: DemoEstate, name: string): Promise<Place> {
  const site = await addSite(estate, name, join(estate.folder, 'sites', name))
  const earlier = `${name}__before_reset_20250101T000000Z`
  const admin = await estate.cluster.connect()
  await admin.query(`create database "${earlier}" owner ww_app`)
  await admin.query(
    `comment on database "${earlier}" is '[hausmeister environment=development reset=finished]'`,
  )
  await admin.query(`alter database "${earlier}" with allow_connections false`)
  await admin.end()
  const args = ['--inventory', site.inventory, '--database', name]
  const state = () => readState(estate.cluster, name)
  const before = (await state())[name]
  if (!before) throw new Error(`there is no ${name}`)
  return {
    ...site,
    args,
    before,
    state,
    run: (more, watch) => runReset(estate.env, [...args, ...more], watch),
  }
}

export const keptBy = (name: string) => new RegExp(`^${name}__before_reset_202[6-9]`)

export function named(state: Record<string, DatabaseState>, pattern: RegExp): [string, DatabaseState][] {
  return Object.entries(state).filter(([name]) => pattern.test(name))
}

/** The old database, as it was in every respect but our mark. */
export async function expectOld(here: Place): Promise<Record<string, DatabaseState>> {
  const { name, before } = here
  const now = await here.state()
  expect(now[name]).toMatchObject({ ...before, comment: expect.toBeOneOf([before.comment, development]) })
  expect(now[`${name}__before_reset_20250101T000000Z`]).toMatchObject({ open: false })
  return now
}

/** With the whole output when it is not so. */
export function expectDone({ code, text }: TaskRun): void {
  expect(code === 0 ? 'exit code 0' : `exit code ${code}\n${text}`).toBe('exit code 0')
}

export const development = '[hausmeister environment=development]'
export const undoOf = ({ name, inventory }: Place) =>
  `npx tsx tasks/pg-reset.ts --database ${name} --undo --inventory ${inventory}`

export function isStarted({ event, state, title = '' }: TaskEvent, wanted: string | RegExp): boolean {
  const fits = typeof wanted === 'string' ? title.startsWith(wanted) : wanted.test(title)
  return event === 'step' && state === 'started' && fits
}

/** The seed waits until `releaseSeed`, or for half a minute. */
export async function holdSeed({ app }: Site, first = ''): Promise<void> {
  const seed = await readFile(join(app, 'seed.mjs'), 'utf8')
  const wait = `
    ${first}
    import { existsSync } from 'node:fs'
    console.log('waiting')
    for (let count = 0; count < 600 && !existsSync('released'); count += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }\n`
  await writeFile(join(app, 'seed.mjs'), wait + seed)
}

export async function releaseSeed({ app }: Site): Promise<void> {
  await writeFile(join(app, 'released'), '')
}

/** @throws when a secret of the estate was printed by any run so far, or stands in the journal */
export async function expectNoSecrets(estate: DemoEstate): Promise<void> {
  const folder = join(estate.folder, 'home/.local/state/hausmeister/journal')
  const journals = await Promise.all(
    (await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8')),
  )
  const text = [...journals, ...allOutput].join('\n')
  expect(text).toContain('"event":"start"')
  expect(secretsOf(estate).filter((secret) => text.includes(secret))).toEqual([])
}

export function secretsOf(estate: DemoEstate): string[] {
  return [estate.password, new URL(estate.cluster.url).password]
}

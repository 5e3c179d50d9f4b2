import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { appShell } from '../../../lib/app/app.ts'
import { listMigrations, readMigrationFiles } from '../../../lib/app/migrations.ts'
import { Hosts } from '../../../lib/host/hosts.ts'
import { RecordedRun, ScriptedMachine } from '../doubles.ts'
import { shopEstate } from '../postgres/reset/shop.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-migrations-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function add(name: string, sql: string): Promise<void> {
  await mkdir(join(folder, name))
  await writeFile(join(folder, name, 'migration.sql'), sql)
}

/** The app's folder is a real one, and its commands run in a real shell. */
async function shell() {
  const hosts = new Hosts(await shopEstate(), new RecordedRun(), async (name) => {
    return new ScriptedMachine(
      name,
      ({ script, say }) =>
        new Promise((resolve) => {
          execFile('bash', ['-c', script], (error, stdout) => {
            say(stdout)
            resolve(error ? 1 : 0)
          })
        }),
    )
  })
  const estate = await shopEstate({
    'apps/shop/directory': folder,
    'apps/shop/user': undefined,
    'apps/shop/host': 'vm-app',
  })
  return appShell(hosts, estate.app('shop'))
}

test('each migration with its text, to the last byte, by name; files beside them are none', async () => {
  const odd = `-- it's "odd" \\n $1 ü\ncreate table a ();\n\n`
  await add('20240102_b', 'select 2')
  await add('20240101_a', odd)
  await add('20240103 with a space', '')
  await writeFile(join(folder, 'migration_lock.toml'), 'provider = "postgresql"\n')
  const app = await shell()
  expect(await readMigrationFiles(app, '.')).toEqual([
    { name: '20240101_a', sql: odd },
    { name: '20240102_b', sql: 'select 2' },
    { name: '20240103 with a space', sql: '' },
  ])
  expect(await listMigrations(app, '.')).toEqual(['20240101_a', '20240102_b', '20240103 with a space'])
})

test('an empty folder has none; a folder that is not there, or a migration without its file, is not known', async () => {
  const app = await shell()
  expect(await readMigrationFiles(app, '.')).toEqual([])
  expect(await readMigrationFiles(app, 'nowhere')).toBeUndefined()
  expect(await listMigrations(app, 'nowhere')).toBeUndefined()
  await mkdir(join(folder, '20240101_a'))
  expect(await readMigrationFiles(app, '.')).toBeUndefined()
})

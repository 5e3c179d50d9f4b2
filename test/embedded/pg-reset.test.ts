import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { type DemoEstate, startEstate } from '../../examples/demo/estate.ts'
import {
  development,
  expectDone,
  expectNoSecrets,
  expectOld,
  holdSeed,
  isStarted,
  keptBy,
  makePlace,
  named,
  type Place,
  releaseSeed,
  secretsOf,
} from './place.ts'
import { runReset, type TaskRun } from './task.ts'

let estate: DemoEstate
const place = (name: string): Promise<Place> => makePlace(estate, name)

beforeAll(async () => {
  // As OpenSSH, which leaves commands running when their client is gone.
  estate = await startEstate({ keepsCommands: true })
})

afterAll(async () => {
  await estate?.close()
})

describe.concurrent('a reset', () => {
  test('in a dry run changes nothing, and prints every change', async () => {
    const here = await place('dry')
    const before = await here.state()
    const run = await here.run(['--dry-run'])
    expectDone(run)
    const { events } = run
    expect(await here.state()).toEqual(before)
    const changes = events.filter(({ event }) => event === 'change')
    expect(changes.every(({ state }) => state === 'would')).toBe(true)
    const text = changes.map(({ command, input = '' }) => `${command}\n${input}`).join('\n')
    for (const part of [
      'alter database "dry" with allow_connections false',
      'select count(pg_terminate_backend(pid))',
      'alter database "dry" rename to "dry__before_reset_',
      'create database "dry" with owner "ww_app"',
      'drop database "dry_shadow" with (force)',
      'create database "dry_shadow"',
      'node migrate.mjs',
      'node seed.mjs',
    ]) {
      expect(text).toContain(part)
    }
    const notes = events.flatMap(({ text: note }) => note ?? []).join('\n')
    expect(notes).toContain('Prisma migrations: 1 applied, 1 failed (20240304180000_worlds)')
    expect(notes).toContain('worlds.assets is missing')
  })

  test('makes the database new, keeps the old one, and changes them over again and again', async () => {
    const here = await place('real')
    const admin = await estate.cluster.connect()
    await admin.query(`comment on database "real" is 'Worlds of the game'`)
    await admin.query(`alter database "real" connection limit 17`)
    await admin.query(`alter database "real" set search_path to public, "Odd ""name"""`)
    await admin.query(`alter role ww_app in database "real" set statement_timeout to '7min'`)
    await admin.query(`revoke connect on database "real" from public`)
    const before = await here.state()
    const reset = here.run(['--yes'])
    const seen = await commandLinesDuring(reset)
    expectDone(await reset)
    expect(seen.includes('node seed.mjs')).toBe(true)
    expect(secretsOf(estate).filter((secret) => seen.includes(secret))).toEqual([])

    const after = await here.state()
    const old = before['real']
    expect(after['real']).toMatchObject({
      owner: 'ww_app',
      open: true,
      limit: 17,
      comment: `Worlds of the game ${development}`,
      grants: old?.grants,
      settings: old?.settings,
    })
    expect(after['real']?.rows?.['worlds']).toHaveLength(4)
    expect(after['real']?.rows?.['worlds']?.join('')).toContain('<assets>')
    expect(after['real_shadow']?.oid).not.toBe(before['real_shadow']?.oid)
    const kept = named(after, keptBy('real'))
    expect(kept).toHaveLength(1)
    expect(kept[0]?.[1]).toMatchObject({ oid: old?.oid, open: false })

    expectDone(await here.run(['--undo', '--yes']))
    expect((await here.state())['real']).toEqual({ ...old, comment: `Worlds of the game ${development}` })
    expectDone(await here.run(['--undo', '--yes']))
    expect((await here.state())['real']).toEqual(after['real'])
    await admin.end()
  })

  test('needs no tunnel where the server is reached from here', async () => {
    const here = await place('direct')
    const text = await readFile(here.inventory, 'utf8')
    await writeFile(here.inventory, text.replace(/"via": .*/, ''))
    expectDone(await here.run(['--yes']))
  })

  test('ends the sessions of others, and names them first', async () => {
    const here = await place('busy')
    const sessions = [await estate.cluster.connect('busy'), await estate.cluster.connect('busy')]
    const run = await here.run(['--yes'])
    expectDone(run)
    expect(run.events.flatMap(({ text }) => text ?? []).join('\n')).toContain(
      'connected: 2 × estate from 127.0.0.1',
    )
    for (const session of sessions) await expect(session.query('select 1')).rejects.toThrow()
  })

  test('with a migration that fails puts the old one back and keeps the half-built one', async () => {
    const here = await place('broken')
    await appendFile(
      join(here.app, 'migrations/20241118100000_world_assets/migration.sql'),
      'create table oops (',
    )
    const { code, error } = await here.run(['--yes'])
    expect(code).toBe(1)
    expect(error?.seen).toContain('migration 20241118100000_world_assets failed: syntax error')
    expect(error?.message).toContain('broken is back under its name, open to connections')
    const now = await expectOld(here)
    const failed = named(now, /^broken__failed_/)
    expect(failed).toHaveLength(1)
    expect(error?.message).toContain(failed[0]?.[0])
    expect(named(now, keptBy('broken'))).toEqual([])
  })

  test('with a seed that fails does, too', async () => {
    const here = await place('seedless')
    await writeFile(join(here.app, 'seed.mjs'), `console.error('no seeds this year'); process.exitCode = 4`)
    const { code, error } = await here.run(['--yes'])
    expect(code).toBe(1)
    expect(error).toMatchObject({ seen: 'no seeds this year' })
    expect(error?.message).toContain('ended with exit code 4: node seed.mjs')
    const now = await expectOld(here)
    expect(named(now, /^seedless__failed_/)).toHaveLength(1)
  })

  test('whose migrations went to another database is no success', async () => {
    const here = await place('astray')
    await writeFile(join(here.app, 'migrate.mjs'), '')
    await writeFile(join(here.app, 'seed.mjs'), '')
    const { code, error } = await here.run(['--yes'])
    expect(code).toBe(1)
    expect(error?.message).toContain('astray has no table after its migration')
    await expectOld(here)
  })

  test('--discard drops the old one at the end, --discard-kept those before the newest', async () => {
    const here = await place('thrifty')
    expectDone(await here.run(['--yes', '--discard']))
    expect(Object.keys(await here.state())).toEqual([
      'thrifty',
      'thrifty__before_reset_20250101T000000Z',
      'thrifty_shadow',
    ])
    expectDone(await here.run(['--yes']))
    expectDone(await here.run(['--yes', '--discard-kept']))
    const names = Object.keys(await here.state())
    expect(names).toHaveLength(3)
    expect(names[1]).toMatch(keptBy('thrifty'))
  })
})

async function expectRefused(here: Place, args: string[], code: number): Promise<TaskRun> {
  const before = await here.state()
  const run = await here.run(args)
  expect(run).toMatchObject({ code })
  expect(await here.state()).toEqual(before)
  return run
}

/** Of all processes, on both ends, looked at again and again. */
async function commandLinesDuring(work: Promise<unknown>): Promise<string> {
  const seen: string[] = []
  const over = work.then(
    () => true,
    () => true,
  )
  do seen.push((await execa('ps', ['axww', '-o', 'args'])).stdout)
  while (!(await Promise.race([over, Promise.resolve(false)])))
  return seen.join('\n')
}

describe.concurrent('a reset is refused', () => {
  test('for an unknown flag, with the nearest one', async () => {
    const { error } = await expectRefused(await place('flag'), ['--yes', '--skip-sed'], 2)
    expect(error?.message).toContain('there is no flag --skip-sed; did you mean --skip-seed?')
  })

  test('for a database that the inventory does not have', async () => {
    const here = await place('known')
    const run = await runReset(estate.env, ['--inventory', here.inventory, '--database', 'knwon', '--yes'])
    expect(run.code).toBe(2)
    expect(run.error?.message).toContain('Did you mean "known"?')
  })

  test('for secrets that are missing, all of them at once', async () => {
    const here = await place('secretless')
    await writeFile(join(here.inventory, '../.env'), '')
    const { error } = await expectRefused(here, ['--yes'], 2)
    expect(error?.message).toContain('PG_URL')
    expect(error?.message).toContain('PG_APP_PASSWORD')
  })

  test('when the server says production and the inventory development', async () => {
    const here = await place('marked')
    const admin = await estate.cluster.connect()
    await admin.query(`comment on database marked is 'Live! [hausmeister environment=production]'`)
    await admin.end()
    const { error } = await expectRefused(here, ['--yes', '--confirm', 'marked'], 2)
    expect(error?.message).toContain('the inventory says that marked is development')
    expect(error?.message).toContain('itself says that it is production')
  })

  test('for production, whatever --yes says, without --confirm and the name', async () => {
    const here = await place('precious')
    const text = await readFile(here.inventory, 'utf8')
    await writeFile(here.inventory, text.replaceAll('"development"', '"production"'))
    for (const args of [['--yes'], ['--yes', '--confirm', 'other']]) {
      const { error } = await expectRefused(here, args, 2)
      expect(error?.message).toContain('--confirm')
    }
    expectDone(await here.run(['--yes', '--confirm', 'precious']))
  })

  test('without a terminal and without --yes, at once', async () => {
    const { error } = await expectRefused(await place('nobody'), [], 2)
    expect(error?.message).toContain('no terminal to confirm "nobody" on; give --yes')
  })

  test('when nothing was ever kept, and --undo is given', async () => {
    const here = await place('fresh')
    const admin = await estate.cluster.connect()
    await admin.query(`drop database "fresh__before_reset_20250101T000000Z"`)
    await admin.end()
    const { error } = await expectRefused(here, ['--undo', '--yes'], 1)
    expect(error?.message).toContain('there is no kept copy of fresh')
  })

  test('while another one runs, which is named with its task and its beginning', async () => {
    const here = await place('twice')
    await holdSeed(here)
    let second: Promise<TaskRun> | undefined
    const first = await here.run(['--yes'], (event) => {
      if (isStarted(event, 'Seed')) second ??= runAndRelease(here)
    })
    const refused = await second
    expect(refused).toMatchObject({ code: 75 })
    expect(refused?.error?.message).toMatch(
      /^pg\/twice is locked by \S+@\S+: pg-reset, since 20\d\d-\d\d-\d\dT\S+Z \(\d/,
    )
    expectDone(first)
  })
})

async function runAndRelease(here: Place): Promise<TaskRun> {
  const run = await here.run(['--yes'])
  await releaseSeed(here)
  return run
}

test('no secret was printed or journaled', async () => {
  await expectNoSecrets(estate)
})

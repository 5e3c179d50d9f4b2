import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'

import { openLab } from '../lab.ts'
import { provisionPostgres } from '../postgres.ts'
import { appOf, clusterOf, type Draft, draftOf } from './draft.ts'
import { Stage } from './stage.ts'
import { type Outcome, type RunOptions, runTask, type TaskLine } from './task-run.ts'
import { expectUntouched, serverState, stateToKeep } from './untouched.ts'

const lab = openLab()
const database = ['--database', 'weltenwind']
let stage: Stage
let before: string

async function startAnew(): Promise<void> {
  await stage.reset()
  before = await stateToKeep(lab, stage)
}

beforeAll(async () => {
  await provisionPostgres(lab)
  stage = await Stage.open(lab)
  await startAnew()
})
afterAll(async () => stage.close())
afterEach(async () => expectUntouched(lab, stage, before))

async function reset(
  change: (draft: Draft) => void,
  flags: string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const inventory = await draftOf(stage, change)
  return runTask(lab, 'pg-reset', ['--inventory', inventory, ...database, ...flags], options)
}

function changesNothing(outcome: Outcome): void {
  expect(outcome.events.filter(({ event }) => event === 'change')).toEqual([])
}

function production(draft: Draft): void {
  clusterOf(draft).database.environment = 'production'
  appOf(draft).environment = 'production'
}

async function mark(environment: string): Promise<void> {
  await lab.sh(
    'pg-primary',
    `cd /; runuser -u postgres -- psql -X -q -c "comment on database weltenwind is 'live [hausmeister environment=${environment}]'"`,
  )
  before = await serverState(lab)
}

const holding = `#!/bin/sh
echo seeding
while [ -e hold ]; do sleep 0.1; done
`

function isSeeding({ event }: TaskLine): boolean {
  return event === 'progress'
}

async function isLocked(): Promise<boolean> {
  const { exitCode } = await lab.sh('pg-primary', 'flock -n /run/lock/hausmeister/pg.weltenwind true', {
    nothrow: true,
  })
  return exitCode !== 0
}

describe('the wrong server', () => {
  test('a standby', async () => {
    const outcome = await reset((draft) => (clusterOf(draft).cluster.hosts = ['pg-replica']), ['--yes'])
    expect(outcome).toMatchObject({
      code: 1,
      error: `pg-replica is a standby, and no primary was found
bring the primary back, or promote a standby if it is gone for good; nothing was changed`,
    })
    changesNothing(outcome)
  })

  test('two primaries', async () => {
    await lab.sh('vm-proxy', 'systemctl start postgresql@17-main')
    try {
      const outcome = await reset(
        (draft) => (clusterOf(draft).cluster.hosts = ['pg-primary', 'vm-proxy']),
        ['--yes'],
      )
      expect(outcome).toMatchObject({
        code: 1,
        error: `two primaries: pg-primary and vm-proxy
find out which one the app writes to, and stop the other one; nothing was changed`,
      })
      changesNothing(outcome)
    } finally {
      await lab.sh('vm-proxy', 'systemctl stop postgresql@17-main')
    }
  })
})

describe('production', () => {
  test('in the inventory: --yes is not enough, and the name has to be the right one', async () => {
    const yes = await reset(production, ['--yes'])
    expect(yes).toMatchObject({
      code: 2,
      error: 'weltenwind is a production database; if you mean it, say so with --confirm weltenwind',
    })
    const other = await reset(production, ['--yes', '--confirm', 'weltenwind_shadow'])
    expect(other).toMatchObject({
      code: 2,
      error: '--confirm weltenwind_shadow does not name the database weltenwind',
    })
    changesNothing(yes)
    changesNothing(other)
  })

  test('on the server, and development in the inventory: both are named, whatever is confirmed', async () => {
    await mark('production')
    for (const confirm of [[], ['--confirm', 'weltenwind']]) {
      const outcome = await reset(() => {}, ['--yes', ...confirm])
      expect(outcome.code).toBe(2)
      expect(outcome.error).toMatch(
        /^the inventory says that weltenwind is development, and the database on pg-primary itself says that it is production\nfind out which is true/,
      )
      changesNothing(outcome)
    }
  })

  test('on both: with --confirm it is done, and the mark goes along; without it nothing is undone', async () => {
    await mark('production')
    try {
      const outcome = await reset(production, ['--yes', '--confirm', 'weltenwind'])
      expect(outcome).toMatchObject({ code: 0, error: '' })
      expect(await stage.databases()).toEqual([
        { name: 'weltenwind', open: true, comment: 'live [hausmeister environment=production]' },
        {
          name: expect.stringMatching(/^weltenwind__before_reset_/),
          open: false,
          comment: 'live [hausmeister environment=production reset=finished]',
        },
      ])
      const after = await serverState(lab)
      expect((await reset(production, ['--yes', '--undo'])).code).toBe(2)
      expect((await reset(() => {}, ['--yes', '--undo', '--confirm', 'weltenwind'])).error).toMatch(
        /the inventory says that weltenwind is development/,
      )
      expect(await serverState(lab)).toBe(after)
    } finally {
      await startAnew()
    }
  })
})

describe('a lock', () => {
  test('that another run holds: exit 75, who, since when, which task; afterwards it is free', async () => {
    await stage.script('seed', holding)
    await lab.sh('vm-app', 'touch /srv/light/hold')
    let second: Promise<Outcome> | undefined
    const started = Date.now()
    const secondRun = async (): Promise<Outcome> => {
      const outcome = await stage.pgReset(['--yes'])
      await lab.sh('vm-app', 'rm -f /srv/light/hold')
      return outcome
    }
    try {
      const first = await stage.pgReset(['--yes'], (line) => {
        if (isSeeding(line)) second ??= secondRun()
      })
      const refused = await second
      expect(refused?.code).toBe(75)
      const [, since = ''] =
        /^pg\/weltenwind is locked by \S+@\S+: pg-reset, since (\S+) \([\d.]+ m?s\)\nwait until it has ended/.exec(
          refused?.error ?? '',
        ) ?? []
      expect(Date.parse(since)).toBeGreaterThanOrEqual(started)
      expect(Date.parse(since)).toBeLessThan(Date.now())
      expect(refused?.events.at(-1)).toMatchObject({ event: 'end', outcome: 'locked', changed: 0 })
      expect(first).toMatchObject({ code: 0, error: '' })
      expect(await isLocked()).toBe(false)
    } finally {
      await startAnew()
    }
  })

  test('ends with its holder, however that one ends', async () => {
    await stage.script('seed', holding)
    await lab.sh('vm-app', 'touch /srv/light/hold')
    try {
      const killed = await stage.pgReset(['--yes'], (line, kill) => {
        if (isSeeding(line)) void isLocked().then((held) => (held ? kill('SIGKILL') : undefined))
      })
      expect(killed.code).not.toBe(0)
      await vi.waitUntil(async () => !(await isLocked()), { timeout: 10_000, interval: 100 })
      expect(await stage.pgReset(['--undo'])).toMatchObject({ code: 0, error: '' })
      expect(await stage.whereOldDataIs()).toBe('weltenwind')
    } finally {
      await lab.sh('vm-app', 'rm -f /srv/light/hold')
      await startAnew()
    }
  })
})

describe('a command line that cannot be meant', () => {
  test('nobody to ask, and no --yes: refused at once', async () => {
    const outcome = await stage.pgReset([])
    expect(outcome).toMatchObject({
      code: 2,
      error: 'refused: no terminal to confirm "weltenwind" on; give --yes',
    })
    expect(outcome.events.at(-1)?.ms).toBeLessThan(20_000)
    changesNothing(outcome)
  })

  test('a flag that does not exist, and a database that does not', async () => {
    expect(await stage.pgReset(['--yes', '--skip-sed'])).toMatchObject({
      code: 2,
      error: `there is no flag --skip-sed; did you mean --skip-seed?
npx tsx tasks/pg-reset.ts --help`,
    })
    const { inventory } = stage
    expect(
      await runTask(lab, 'pg-reset', ['--inventory', inventory, '--yes', '--database', 'weltenwnd']),
    ).toMatchObject({
      code: 2,
      error: `${inventory} has no database "weltenwnd". Did you mean "weltenwind"?`,
    })
  })
})

describe('an inventory that cannot be used', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hausmeister-refusals-'))
  })
  afterAll(async () => rm(folder, { recursive: true, force: true }))

  async function resetWith(text: string): Promise<{ outcome: Outcome; file: string }> {
    const file = join(folder, 'inventory.json')
    await writeFile(file, text)
    return {
      outcome: await runTask(lab, 'pg-reset', ['--inventory', file, ...database, '--yes']),
      file,
    }
  }

  test('there is none', async () => {
    await mkdir(join(folder, 'empty'))
    const file = join(folder, 'empty', 'inventory.json')
    expect(await runTask(lab, 'pg-reset', ['--inventory', file, ...database, '--yes'])).toMatchObject({
      code: 2,
      error: expect.stringMatching(
        new RegExp(
          `there is no inventory at ${file}\\. Copy inventory\\.json .* or name another one with --inventory`,
        ),
      ),
    })
  })

  test('broken JSON: line and column', async () => {
    const { outcome, file } = await resetWith('{\n  "estate": "weltenwind",\n  "hosts" {}\n}\n')
    expect(outcome.code).toBe(2)
    expect(outcome.error).toContain(`${file}:3:11 `)
  })

  test('unknown key and dangling references, all at once, each with its line and the nearest name', async () => {
    const spoiled = await draftOf(stage, (draft) => {
      Object.assign(draft.hosts['vm-app'] ?? {}, { vmidd: 100 })
      appOf(draft).host = 'vm-ap'
      clusterOf(draft).database.owner = 'ww_ap'
    })
    const outcome = await runTask(lab, 'pg-reset', ['--inventory', spoiled, ...database, '--yes'])
    expect(outcome.code).toBe(2)
    expect(outcome.error).toMatch(
      /:\d+:\d+ hosts\.vm-app\.vmidd: there is no "vmidd" here\. Did you mean "vmid"\?/,
    )
    expect(outcome.error).toMatch(/:\d+:\d+ apps\.light\.host: .*"vm-ap".*Did you mean "vm-app"\?/)
    expect(outcome.error).toMatch(
      /:\d+:\d+ postgres\.main\.databases\.weltenwind\.owner: .*"ww_ap".*Did you mean "ww_app"\?/,
    )
  })

  test('secrets that are not set: all of them in one message', async () => {
    const file = join(folder, 'inventory.json')
    const { outcome } = await resetWith(await readFile(stage.inventory, 'utf8'))
    expect(outcome.code).toBe(2)
    expect(outcome.error).toMatch(/PG_APP_PASSWORD/)
    expect(outcome.error).toMatch(/PG_PRIMARY_SUDO_PASSWORD/)
    expect(outcome.error).toContain(join(file, '..', '.env'))
    changesNothing(outcome)
  })
})

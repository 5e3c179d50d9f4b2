import { describe, expect, test } from 'vitest'

import type { AppShell } from '../../../../lib/app/app.ts'
import {
  describeProgress,
  describeState,
  type MigrationState,
  proveMigrated,
  refuseState,
  waysOut,
} from '../../../../lib/postgres/migrate/state.ts'
import type { Migration } from '../../../../lib/postgres/migrations.ts'
import { databaseTarget } from '../../../../lib/postgres/target.ts'
import { failure } from '../../doubles.ts'
import { FakePostgres, FakeServer } from '../fake-postgres.ts'
import { shopEstate } from '../reset/shop.ts'

const never = (): never => {
  throw new Error('nothing is to be run')
}
const shell: AppShell = {
  place: 'vm-app, /srv/shop',
  read: never,
  change: never,
  byHand: (command) => `by hand: ${command}`,
}

function row(name: string, state: Migration['state'], log: string | null = null): Migration {
  return { name, state, log }
}

const clean: MigrationState = { migrations: [row('1_init', 'applied')], failed: [], pending: [], running: [] }
const broken = {
  ...clean,
  failed: [row('2_size', 'failed', 'no column size')],
  pending: ['2_size', '3_name'],
}
const running = [{ pid: 7, address: '192.0.2.4', seconds: 90 }]

test('what is pending is named, one a line', () => {
  expect(describeState(broken)).toEqual([
    'Prisma migrations: 1 applied, 1 failed',
    'pending: 2',
    '  2_size',
    '  3_name',
  ])
  expect(describeState({ ...clean, migrations: undefined, pending: undefined })).toEqual([
    'Prisma migrations: 0 applied, 0 failed',
  ])
})

function refusal(state: MigrationState, reset?: string): Promise<Error> {
  return failure(Promise.resolve().then(() => refuseState(state, 'shop', shell, reset)))
}

describe('refused', () => {
  test('not, when all is well', () => {
    expect(() => refuseState(clean, 'shop', shell, undefined)).not.toThrow()
  })

  test('after a failed one, with what the database said and the ways out', async () => {
    expect(await refusal(broken, 'pg-reset --database shop')).toMatchObject({
      message: expect.stringContaining('(P3009): 2_size'),
      seen: 'no column size',
      next: [
        'nothing of it is in the database, or you have taken it back; it will be tried again:',
        '  by hand: npx prisma migrate resolve --rolled-back 2_size',
        'all of it is in the database, or you have brought in the rest:',
        '  by hand: npx prisma migrate resolve --applied 2_size',
        'its data may go:',
        '  pg-reset --database shop',
      ].join('\n'),
    })
  })

  test('no reset where the data must not go', () => {
    expect(waysOut(broken.failed, shell, undefined)).not.toContain('its data may go')
  })

  test('while one is at work, also when its row still looks like a failed one', async () => {
    expect(await refusal({ ...broken, running })).toMatchObject({
      message: 'shop: a migration is still at work from 192.0.2.4 (pid 7, for 1 min 30 s)',
      next: expect.stringContaining('pg_terminate_backend(7)'),
    })
  })
})

describe('how far a run came', () => {
  const before = { ...clean, pending: ['2_size', '3_name'] }

  test('some were applied, one failed', () => {
    const migrations = [...(clean.migrations ?? []), row('2_size', 'applied'), row('3_name', 'failed', 'no')]
    const failed = [row('3_name', 'failed', 'no')]
    expect(describeProgress(before, { migrations, failed, running: [] })).toBe(
      'applied: 2_size; failed: 3_name',
    )
  })

  test('cut off: begun and not ended, and perhaps at work still', () => {
    const failed = [row('2_size', 'failed')]
    expect(
      describeProgress(before, { migrations: [...(clean.migrations ?? []), ...failed], failed, running }),
    ).toBe(
      'no migration was applied; begun and not ended: 2_size; a migration is still at work from 192.0.2.4 (pid 7, for 1 min 30 s)',
    )
  })

  test('before the first one', () => {
    expect(
      describeProgress(
        { ...before, migrations: undefined },
        { migrations: undefined, failed: [], running: [] },
      ),
    ).toBe('no migration was applied')
  })
})

describe('the proof', () => {
  async function proof(migrations: FakeMigrations, pending: string[] | undefined) {
    const postgres = new FakePostgres({ name: 'shop', migrations })
    const target = databaseTarget(await shopEstate(), 'shop')
    return proveMigrated(new FakeServer(postgres), target, { ...clean, pending })
  }
  type FakeMigrations = { name: string; state: string; log: string | null }[] | undefined

  test('nothing failed, nothing pending', async () => {
    expect(await proof([row('2_size', 'applied')], ['2_size'])).toBe('1 applied, none is pending')
    expect(await proof(undefined, undefined)).toContain('not known')
  })

  test('a command that ends well and does nothing, or not all', async () => {
    expect((await failure(proof(undefined, ['2_size']))).message).toBe(
      'the command ended well, and these are pending in shop still: 2_size',
    )
    expect((await failure(proof([row('2_size', 'failed', 'no')], ['2_size']))).message).toBe(
      'failed migrations in shop: 2_size',
    )
  })
})

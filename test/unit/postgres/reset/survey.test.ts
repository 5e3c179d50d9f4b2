import { describe, expect, test } from 'vitest'

import { appShell } from '../../../../lib/app/app.ts'
import { HostError } from '../../../../lib/host/errors.ts'
import { Hosts } from '../../../../lib/host/hosts.ts'
import { readDatabases } from '../../../../lib/postgres/catalog.ts'
import { checkEnvironment, refuse } from '../../../../lib/postgres/refusal.ts'
import { describeSurvey, surveyDatabase } from '../../../../lib/postgres/reset/survey.ts'
import type { ResetFlags } from '../../../../lib/postgres/reset/target.ts'
import { databaseTarget } from '../../../../lib/postgres/target.ts'
import { TaskError } from '../../../../lib/task/errors.ts'
import { failure, RecordedRun, type Script, ScriptedMachine } from '../../doubles.ts'
import { type FakeDatabase, FakePostgres, FakeServer } from '../fake-postgres.ts'
import { resetFlags, shopEstate } from './shop.ts'

type Databases = (Partial<FakeDatabase> & { name: string })[]

async function refusal(databases: Databases, flags: Partial<ResetFlags> = {}, maintenance = 'postgres') {
  const server = Object.assign(new FakeServer(new FakePostgres(...databases)), { maintenance })
  const target = databaseTarget(await shopEstate(), 'shop')
  const all = await readDatabases(new FakeServer(server.postgres))
  try {
    return refuse(server, target, resetFlags(flags), all, 'the undo command').name
  } catch (error) {
    if (!(error instanceof TaskError)) throw error
    return { message: error.message, next: error.next, code: error.code }
  }
}

describe('a reset is refused', () => {
  test('not, when all is as it should be', async () => {
    expect(await refusal([{ name: 'shop' }])).toBe('shop')
    expect(await refusal([{ name: 'shop', comment: '[hausmeister environment=development]' }])).toBe('shop')
  })

  test('without the database', async () => {
    expect(await refusal([])).toEqual({
      message: 'there is no database shop on pg-1',
      next: undefined,
      code: 2,
    })
  })

  test('after one that did not finish: what is where, and the command that repairs it', async () => {
    const kept = { name: 'shop__before_reset_20261121T021411Z', comment: '[hausmeister reset=unfinished]' }
    expect(await refusal([kept])).toEqual({
      message: `a reset of shop on pg-1 did not finish: the old database is kept as ${kept.name}`,
      next: 'the undo command',
      code: 1,
    })
    expect(await refusal([kept, { name: 'shop' }])).toMatchObject({
      message: expect.stringMatching(/kept as shop__before_reset_\w+, and a half-built one has its name$/),
    })
    expect(
      await refusal([{ name: 'shop', open: false, comment: '[hausmeister reset=closing]' }]),
    ).toMatchObject({
      message: 'a reset of shop on pg-1 did not finish: it accepts no connections',
      next: 'the undo command',
    })
  })

  test('when the server says production and the inventory does not: both facts, and what to do', async () => {
    const databases = [{ name: 'shop', comment: 'orders [hausmeister environment=production]' }]
    const both =
      'the inventory says that shop is development, and the database on pg-1 itself says that it is production'
    expect(await refusal(databases)).toEqual({
      message: both,
      next: expect.stringContaining('COMMENT ON DATABASE'),
      code: 2,
    })
    expect(await refusal(databases, { confirm: 'shop' })).toMatchObject({ message: both })
  })

  test('when the shadow database is marked as production', async () => {
    const shadow = { name: 'shop_shadow', comment: '[hausmeister environment=production]' }
    expect(await refusal([{ name: 'shop' }, shadow])).toMatchObject({
      message: 'shop_shadow on pg-1 is marked as production, so it is no shadow database',
      code: 2,
    })
  })

  test('for what the server itself needs', async () => {
    expect(await refusal([{ name: 'shop', template: true }])).toMatchObject({
      message: 'shop is needed by PostgreSQL itself on pg-1',
    })
    expect(await refusal([{ name: 'shop' }], {}, 'shop')).toMatchObject({
      message: 'shop is the database that hausmeister itself is connected to on pg-1',
      next: 'let the URL of the cluster name another database, such as postgres',
    })
  })

  test('when somebody else has closed the door', async () => {
    expect(await refusal([{ name: 'shop', open: false }])).toMatchObject({
      message: 'shop on pg-1 accepts no connections, and it was not a reset that closed it',
      next: 'if it should be open: ALTER DATABASE "shop" WITH ALLOW_CONNECTIONS true',
    })
  })
})

test('production on both sides needs --confirm at the server too', async () => {
  const server = new FakeServer(
    new FakePostgres({ name: 'shop', comment: '[hausmeister environment=production]' }),
  )
  const shop = (await readDatabases(server)).find(({ name }) => name === 'shop')
  const estate = await shopEstate({
    'postgres/main/databases/shop/environment': 'production',
    'apps/shop/environment': 'production',
  })
  const target = databaseTarget(estate, 'shop')
  if (!shop) throw new Error('no shop')
  expect(() => checkEnvironment(server, target, resetFlags(), shop)).toThrow('--confirm shop')
  expect(() => checkEnvironment(server, target, resetFlags({ confirm: 'shop' }), shop)).not.toThrow()
})

/** What the operator is shown of a shop, by an app whose commands answer so. */
async function shown(databases: Databases, script: Script): Promise<string[]> {
  const estate = await shopEstate()
  const hosts = new Hosts(estate, new RecordedRun(), async (name) => new ScriptedMachine(name, script))
  const target = databaseTarget(estate, 'shop')
  if (!target.app) throw new Error('no app')
  const server = new FakeServer(new FakePostgres(...databases))
  const app = await appShell(hosts, target.app.entry)
  const survey = await surveyDatabase(server, target, resetFlags(), app, 'undo')
  return describeSurvey(server, 17, target, survey)
}

describe('what is shown before the question', () => {
  test('of a database in use', async () => {
    const lines = await shown(
      [
        {
          name: 'shop',
          owner: 'shop_app',
          tables: 12,
          extensions: ['pgcrypto'],
          migrations: [
            { name: '1_init', state: 'applied', log: null },
            { name: '2_size', state: 'failed', log: 'ERROR' },
          ],
          sessions: [
            { pid: 7, application: 'api', address: '192.0.2.4', user: 'shop_app' },
            { pid: 8, application: 'no name', address: 'local', user: 'postgres' },
          ],
        },
        { name: 'shop__before_reset_20261101T000000Z', open: false },
      ],
      ({ script, say }) => {
        if (script.includes('ls -d')) say('1_init/\n2_size/\n3_new/\n')
        else say('[-] Removed column size\n[+] Added column weight\n')
        return 0
      },
    )
    expect(lines).toEqual([
      'shop on pg-1 (PostgreSQL 17), development: 7.6 MB, 12 tables, owner shop_app',
      'connected: 1 × api from 192.0.2.4 as shop_app; 1 × no name from local as postgres',
      'Prisma migrations: 1 applied, 1 failed (2_size)',
      'pending: 2 (2_size, 3_new)',
      'how the schema differs from what the migrations describe:',
      '  [-] Removed column size',
      '  [+] Added column weight',
      'extensions that the migrations must create again: pgcrypto',
      'copies of earlier resets:',
      '  shop__before_reset_20261101T000000Z, 7.6 MB',
    ])
  })

  test('of a quiet one, where the app cannot tell', async () => {
    const lines = await shown([{ name: 'shop' }], ({ script, complain }) => {
      complain('npm: something\nno such schema file\n')
      return script.includes('ls -d') ? 2 : 1
    })
    expect(lines).toEqual([
      'shop on pg-1 (PostgreSQL 17), development: 7.6 MB, 0 tables, owner postgres',
      'nobody is connected',
      'Prisma migrations: none were ever applied',
      'how the schema differs from what the migrations describe:',
      '  could not be told (exit code 1): no such schema file',
    ])
  })

  test('a drift command that says nothing: no drift; one that takes too long: that', async () => {
    expect(await shown([{ name: 'shop' }], () => 0)).toContain('  it does not differ')
    const late = await shown([{ name: 'shop' }], ({ script }) => {
      if (script.includes('drift')) throw new HostError('vm-app', 'timeout', 'timed out after 120 s')
      return 2
    })
    expect(late).toContain('  could not be told: vm-app: timed out after 120 s')
  })

  test('a machine that goes away meanwhile is no missing answer', async () => {
    const error = await failure(
      shown([{ name: 'shop' }], () => {
        throw new HostError('vm-app', 'lost', 'the connection was lost')
      }),
    )
    expect(error.message).toContain('the connection was lost')
  })
})

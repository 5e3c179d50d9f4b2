import { describe, expect, test } from 'vitest'

import { Hosts } from '../../../../lib/host/hosts.ts'
import { findPrimary } from '../../../../lib/postgres/cluster.ts'
import { proveFilled } from '../../../../lib/postgres/reset/proof.ts'
import type { ResetFlags } from '../../../../lib/postgres/reset/target.ts'
import { databaseTarget } from '../../../../lib/postgres/target.ts'
import { failure, RecordedRun, ScriptedMachine } from '../../doubles.ts'
import { backend } from '../backend.ts'
import { type FakeDatabase, FakePostgres } from '../fake-postgres.ts'
import { psqlOn } from '../psql.ts'
import { resetFlags, shopEstate } from './shop.ts'

const password = Math.random().toString(36)

interface Situation {
  shop?: Partial<FakeDatabase>
  flags?: Partial<ResetFlags>
  /** What the server lets in. */
  accepted?: string
  inventory?: Record<string, unknown>
}

async function proof({ shop, flags, accepted = password, inventory }: Situation): Promise<string> {
  const postgres = new FakePostgres({ name: 'shop', tables: 3, ...shop })
  const query = (): Record<string, unknown>[] => [{ user: 'shop_app', tables: postgres.get('shop').tables }]
  const estate = await shopEstate(inventory, { SHOP_PASSWORD: password })
  const run = new RecordedRun()
  const hosts = new Hosts(estate, run, async (name) => {
    const dial = async (address: string, port: number) => {
      expect(`${name} dials ${address}:${port}`).toBe('vm-app dials 192.0.2.1:5432')
      return backend({ password: accepted, query }).client
    }
    const standby = new FakePostgres()
    standby.standby = true
    return new ScriptedMachine(name, psqlOn(name === 'pg-1' ? postgres : standby), { dial })
  })
  const reaching = { estate, hosts, run, flags: resetFlags(flags) }
  return proveFilled(reaching, await findPrimary(reaching, 'main'), databaseTarget(estate, 'shop'))
}

describe('a reset is proven', () => {
  test('by a login from the machine of the app', async () => {
    expect(await proof({})).toBe('shop_app logged in from vm-app and sees 3 tables')
  })

  test('without tables, when there was nothing to migrate', async () => {
    expect(await proof({ shop: { tables: 0 }, flags: { skipMigrate: true } })).toContain('sees 0 tables')
  })

  test('without a login, when no app uses the database; that is said', async () => {
    expect(await proof({ inventory: { 'apps/shop': undefined } })).toBe(
      'no login tried: no app in the inventory uses shop',
    )
  })
})

describe('a reset is not proven', () => {
  test('when the role cannot log in', async () => {
    expect((await failure(proof({ accepted: 'another' }))).message).toBe(
      'PostgreSQL on pg-1: password authentication failed for user "shop_app"',
    )
  })

  test('with a failed migration: its name, and what the database said', async () => {
    const migrations = [
      { name: '1_init', state: 'applied', log: null },
      { name: '2_size', state: 'failed', log: 'ERROR: column "size" does not exist' },
    ]
    expect(await failure(proof({ shop: { migrations } }))).toMatchObject({
      message: 'failed migrations in shop: 2_size',
      seen: 'ERROR: column "size" does not exist',
    })
  })

  test('without a table: the migrate command went elsewhere', async () => {
    expect(await failure(proof({ shop: { tables: 0 } }))).toMatchObject({
      message: 'shop has no table after its migration',
      next: 'check that the migrate command of app shop works on shop, and on no other database',
    })
  })
})

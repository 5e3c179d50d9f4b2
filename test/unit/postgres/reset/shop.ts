import type { Estate } from '../../../../lib/inventory/estate.ts'
import type { ResetFlags } from '../../../../lib/postgres/reset/target.ts'
import { estateOf } from '../../doubles.ts'

/** A shop: two PostgreSQL machines, and an app that migrates and seeds its database. */
export const shopInventory = {
  networks: { lan: { cidr: '192.0.2.0/24' } },
  hosts: {
    'pg-1': { addresses: { lan: '192.0.2.1' } },
    'pg-2': { addresses: { lan: '192.0.2.2' } },
    'vm-app': { addresses: { lan: '192.0.2.4' } },
  },
  postgres: {
    main: {
      hosts: ['pg-1', 'pg-2'],
      databases: { shop: { owner: 'shop_app', shadow: 'shop_shadow', environment: 'development' } },
      roles: { shop_app: { password: 'env:SHOP_PASSWORD' } },
    },
  },
  apps: {
    shop: {
      environment: 'development',
      host: 'vm-app',
      runtime: 'command',
      directory: '/srv/shop',
      user: 'shop',
      database: { cluster: 'main', name: 'shop' },
      migrate: 'npm run migrate',
      seed: 'npm run seed',
      migrations: 'migrations',
      drift: 'npm run drift',
    },
  },
}

type Tree = { [key: string]: unknown }

/** The shop's inventory with the value at `path` replaced; `undefined` removes it. */
export function shopWith(changes: Record<string, unknown>): Tree {
  const root: Tree = structuredClone(shopInventory)
  for (const [path, value] of Object.entries(changes)) {
    const steps = path.split('/')
    const last = steps.pop() ?? ''
    let at: unknown = root
    for (const step of steps) at = isTree(at) ? at[step] : undefined
    if (!isTree(at)) throw new Error(`there is nothing at ${path}`)
    if (value === undefined) delete at[last]
    else at[last] = value
  }
  return root
}

export function shopEstate(
  changes: Record<string, unknown> = {},
  secrets?: Record<string, string>,
): Promise<Estate> {
  return estateOf(shopWith(changes), secrets)
}

export function resetFlags(given: Partial<ResetFlags> = {}): ResetFlags {
  return {
    database: 'shop',
    skipMigrate: false,
    skipSeed: false,
    discard: false,
    undo: false,
    discardKept: false,
    ...given,
  }
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null
}

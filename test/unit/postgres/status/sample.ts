import type { DatabaseFacts } from '../../../../lib/postgres/catalog.ts'
import type { ClusterStatus, DatabaseStatus, ServerStatus } from '../../../../lib/postgres/status/survey.ts'

/** A database as the server has it. */
export function database(name: string, given: Partial<DatabaseFacts> = {}): DatabaseFacts {
  return {
    name,
    oid: '16384',
    owner: 'shop_app',
    encoding: 'UTF8',
    provider: 'libc',
    collate: 'C.UTF-8',
    ctype: 'C.UTF-8',
    locale: null,
    icuRules: null,
    tablespace: 'pg_default',
    allowsConnections: true,
    connectionLimit: -1,
    isTemplate: false,
    words: '',
    mark: {},
    bytes: 8 * 2 ** 20,
    ...given,
  }
}

/** A primary with which all is well. */
export const primary: ServerStatus = {
  name: 'pg-1',
  version: '17.6',
  role: 'primary',
  uptime: 7200,
  position: 1000,
  maxConnections: 100,
  freezeMaxAge: 200_000_000,
  databases: [database('shop'), database('template1', { isTemplate: true })],
  ages: [{ database: 'shop', age: 20_000_000 }],
  connections: [{ application: 'api', role: 'shop_app', count: 4 }],
  standbys: [
    {
      application: '17/main',
      address: '192.0.2.2',
      state: 'streaming',
      sync: 'async',
      bytesBehind: 0,
      secondsBehind: null,
      silent: 3,
    },
  ],
  slots: [{ name: 'pg_2', kind: 'physical', active: true, retained: 0, wal: 'reserved' }],
  receiver: null,
  received: null,
  lastReplay: null,
  transactions: [],
}

/** Its standby. */
export const standby: ServerStatus = {
  ...primary,
  name: 'pg-2',
  role: 'standby',
  position: 1000,
  connections: [],
  standbys: [],
  slots: [],
  receiver: { state: 'streaming', from: 'pg-1:5432', slot: 'pg_2', silent: 5 },
  received: 1000,
  lastReplay: 60,
}

export const shop: DatabaseStatus = {
  name: 'shop',
  environment: 'development',
  mark: 'development',
  bytes: 8 * 2 ** 20,
  kept: [],
  unfinished: undefined,
  applied: 4,
  failed: [],
  pending: [],
  deadRows: [],
  gaps: [],
}

export const well: ClusterStatus = {
  cluster: 'main',
  servers: [primary, standby],
  silent: [],
  databases: [shop],
}

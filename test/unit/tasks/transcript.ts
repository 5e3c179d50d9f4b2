import { expect } from 'vitest'

import type { Rehearsal } from './rehearsal.ts'

/** What a rehearsal writes down of each part of a reset. */
export const mark = '[hausmeister environment=development'
export const kept = 'shop__before_reset_<time>'

export const closeAndRename = [
  'pg-1: begin',
  'pg-1: alter database "shop" with allow_connections false',
  `pg-1: comment on database "shop" is 'our shop ${mark} reset=closing]'`,
  'pg-1: commit',
  `pg-1: select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = 'shop' and pid <> pg_backend_pid()`,
  'pg-1: begin',
  `pg-1: alter database "shop" rename to "${kept}"`,
  `pg-1: alter database "${kept}" with allow_connections false`,
  `pg-1: comment on database "${kept}" is 'our shop ${mark} reset=unfinished]'`,
  'pg-1: commit',
]
export const create = [
  'pg-1: create database "shop" with owner "shop_app" template template1 connection limit 40',
  'pg-1: begin',
  `pg-1: comment on database "shop" is 'our shop ${mark}]'`,
  'pg-1: commit',
]
export const shadow = [
  'pg-1: drop database "shop_shadow" with (force)',
  'pg-1: create database "shop_shadow" with owner "shop_app" template template0 encoding \'UTF8\' ' +
    "lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8' locale_provider libc connection limit -1",
  'pg-1: comment on database "shop_shadow" is \'\'',
]
export const fill = ['vm-app (shop): npm run migrate', 'vm-app (shop): npm run seed']
export const finish = [`pg-1: comment on database "${kept}" is 'our shop ${mark} reset=finished]'`]
export const putBack = [
  'pg-1: begin',
  'pg-1: alter database "shop" with allow_connections false',
  `pg-1: comment on database "shop" is 'our shop ${mark}]'`,
  'pg-1: commit',
  'pg-1: begin',
  'pg-1: alter database "shop" rename to "shop__failed_<time>"',
  'pg-1: alter database "shop__failed_<time>" with allow_connections false',
  `pg-1: comment on database "shop__failed_<time>" is 'our shop ${mark}]'`,
  `pg-1: alter database "${kept}" rename to "shop"`,
  'pg-1: alter database "shop" with allow_connections true',
  `pg-1: comment on database "shop" is 'our shop ${mark}]'`,
  'pg-1: commit',
]

/** A copy of an earlier reset, which must never take the place of what is there. */
export const earlier = {
  name: 'shop__before_reset_20261001T000000Z',
  comment: `older ${mark} reset=finished]`,
  open: false,
  owner: 'shop_app',
  tables: 3,
}

/** The old database is under its name, open, and not marked by a reset. */
export function expectOldOne({ postgres }: Rehearsal, oid: string): void {
  expect(postgres.get('shop')).toMatchObject({
    oid,
    open: true,
    comment: `our shop ${mark}]`,
    tables: 12,
    limit: 40,
  })
  expect(postgres.get(earlier.name)).toMatchObject({ tables: 3, open: false })
  expect(postgres.list().join('\n')).not.toMatch(/closing|unfinished/)
}

import { expect, test } from 'vitest'

import { countTables, qualifiedName } from '../../../../lib/postgres/dump/tables.ts'
import type { Sql } from '../../../../lib/postgres/sql.ts'

test('a name stands as SQL has it, and no two tables have the same', () => {
  const names = [
    { schema: 'public', name: 'worlds' },
    { schema: 'a.b', name: 'c' },
    { schema: 'a', name: 'b.c' },
    { schema: 'public', name: 'User' },
    { schema: 'public', name: 'say "hi"' },
  ]
  expect(names.map(qualifiedName)).toEqual([
    'public.worlds',
    '"a.b".c',
    'a."b.c"',
    'public."User"',
    'public."say ""hi"""',
  ])
})

test('partitions are counted as one table, children apart, and what a standby has no rows of not at all', async () => {
  const asked: string[] = []
  const server = {
    select: async (_row: unknown, statement: Sql) => {
      asked.push(statement.text)
      return []
    },
  }
  const table = { schema: 's', readable: true }
  const counts = await countTables(server, [
    { ...table, name: 'plain', kind: 'r', empty: false },
    { ...table, name: 'whole', kind: 'p', empty: false },
    { ...table, name: 'unlogged', kind: 'r', empty: true },
  ])
  expect(counts).toEqual({})
  expect(asked).toEqual([
    `select 's' as schema, 'plain' as name, (select count(*) from only "s"."plain") as rows union all ` +
      `select 's' as schema, 'whole' as name, (select count(*) from "s"."whole") as rows union all ` +
      `select 's' as schema, 'unlogged' as name, 0 as rows`,
  ])
})

test('a database without tables is asked nothing', async () => {
  const server = { select: () => Promise.reject(new Error('asked')) }
  expect(await countTables(server, [])).toEqual({})
})

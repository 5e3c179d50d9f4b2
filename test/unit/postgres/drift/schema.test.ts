import { describe, expect, test } from 'vitest'

import {
  compareSchemas,
  describeDifference,
  type SchemaObject,
} from '../../../../lib/postgres/drift/schema.ts'

function object(
  kind: SchemaObject['kind'],
  name: string,
  within: string | null,
  definition = '',
): SchemaObject {
  return { kind, name, within, definition }
}

const schema = object('schema', 'public', null)
const table = object('table', 'public.worlds', 'public')
const id = object('column', 'public.worlds.id', 'public.worlds', 'integer not null')
const name = object('column', 'public.worlds.name', 'public.worlds', 'text not null')
const key = object('constraint', 'public.worlds.worlds_pkey', 'public.worlds', 'PRIMARY KEY (id)')
const index = object(
  'index',
  'public.worlds_name',
  'public.worlds',
  'CREATE INDEX worlds_name ON public.worlds USING btree (name)',
)
const role = object('enum', 'public.Role', 'public', "'PLAYER', 'ADMIN'")
const all = [schema, table, id, name, key, index, role]

function lines(expected: SchemaObject[], found: SchemaObject[]): string[] {
  return compareSchemas(expected, found).map(describeDifference)
}

const without = (...gone: SchemaObject[]) => all.filter((one) => !gone.includes(one))
const instead = (old: SchemaObject, definition: string) =>
  all.map((one) => (one === old ? { ...one, definition } : one))

test('nothing, when both have the same, in whatever order', () => {
  expect(compareSchemas(all, all.toReversed())).toEqual([])
  expect(compareSchemas([], [])).toEqual([])
})

describe('one thing that differs', () => {
  test.each([
    ['column', name, 'missing column public.worlds.name: text not null'],
    ['constraint', key, 'missing constraint public.worlds.worlds_pkey: PRIMARY KEY (id)'],
    [
      'index',
      index,
      'missing index public.worlds_name: CREATE INDEX worlds_name ON public.worlds USING btree (name)',
    ],
    ['enum', role, "missing enum public.Role: 'PLAYER', 'ADMIN'"],
  ])('a %s: missing, or surplus the other way round', (_, one, line) => {
    expect(lines(all, without(one))).toEqual([line])
    expect(lines(without(one), all)).toEqual([line.replace('missing', 'surplus')])
  })

  test('type, null, default', () => {
    expect(lines(all, instead(name, 'character varying(20)'))).toEqual([
      'different column public.worlds.name: character varying(20), and should be text not null',
    ])
  })

  test('the values of an enum, and their order', () => {
    expect(lines(all, instead(role, "'ADMIN', 'PLAYER'"))).toEqual([
      "different enum public.Role: 'ADMIN', 'PLAYER', and should be 'PLAYER', 'ADMIN'",
    ])
  })

  test('a table that is partitioned now: what was nothing is called so', () => {
    expect(lines(all, instead(table, 'partition by RANGE (id)'))).toEqual([
      'different table public.worlds: partition by RANGE (id), and should be nothing',
    ])
  })
})

describe('what belongs to something that is gone itself', () => {
  test('a table with its columns, keys and indexes', () => {
    expect(lines(all, [schema, role])).toEqual(['missing table public.worlds'])
    expect(lines([schema, role], all)).toEqual(['surplus table public.worlds'])
  })

  test('a schema with all that is in it', () => {
    expect(lines(all, [])).toEqual(['missing schema public'])
  })

  test('a table of that name in another schema is no container for it', () => {
    const other = object('schema', 'shop', null)
    const theirs = object('table', 'shop.worlds', 'shop')
    expect(lines([...all, other], [schema, role, other, theirs])).toEqual([
      'missing table public.worlds',
      'surplus table shop.worlds',
    ])
  })
})

test('a column and an index of one name are two things', () => {
  const twin = object('column', 'public.worlds_name', 'public', 'text')
  expect(lines(all, [...without(index), twin])).toEqual([
    'surplus column public.worlds_name: text',
    `missing index public.worlds_name: ${index.definition}`,
  ])
})

test('something that became another kind of thing is surplus as the one and missing as the other', () => {
  const view = object('view', 'public.worlds', 'public', ' SELECT 1;')
  expect(lines([schema, table], [schema, view])).toEqual([
    'missing table public.worlds',
    'surplus view public.worlds:  SELECT 1;',
  ])
})

test('in the order of kinds, then of names; long definitions are not shown', () => {
  const a = object('function', 'public.a()', 'public', 'CREATE FUNCTION a\nAS 1')
  const b = object('function', 'public.b()', 'public', 'CREATE FUNCTION b\nAS 1')
  const other = { ...b, definition: 'CREATE FUNCTION b\nAS 2' }
  expect(lines([...all, b], [...without(name, role), a, other])).toEqual([
    "missing enum public.Role: 'PLAYER', 'ADMIN'",
    'missing column public.worlds.name: text not null',
    'surplus function public.a()',
    'different function public.b()',
  ])
})

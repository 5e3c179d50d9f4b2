import { expect, test } from 'vitest'

import { chooseSource, describeSource } from '../../../../lib/postgres/dump/source.ts'
import type { Server } from '../../../../lib/postgres/server.ts'

const nothing = () => Promise.reject(new Error('not to be asked'))

function server(name: string): Server {
  return {
    name,
    maintenance: 'postgres',
    select: nothing,
    change: nothing,
    script: nothing,
    lock: nothing,
  }
}

const primary = { server: server('a'), standby: false, version: 17, lsn: '1/10000000' }
const close = { server: server('b'), standby: true, version: 17, lsn: '1/F000000' }
const far = { server: server('c'), standby: true, version: 17, lsn: '1/0' }
const gone = { error: new Error('c: no route') }

function chosen(...answers: Parameters<typeof chooseSource>[0]) {
  const source = chooseSource(answers, 'main')
  return [source.server.name, describeSource(source), ...source.remarks]
}

test('the standby that is closest is dumped', () => {
  expect(chosen(far, primary, close)).toEqual(['b', 'a standby, 16.0 MB of WAL behind'])
})

test('one that is too far behind is not, nor one that does not know how far', () => {
  expect(chosen(far, primary)).toEqual([
    'a',
    'the primary',
    'the primary is dumped: c is 256 MB of WAL behind, more than the 64.0 MB that are allowed',
  ])
  expect(chosen({ ...far, lsn: null }, primary)[0]).toBe('a')
})

test('without a standby it is the primary, and without a primary whatever there is', () => {
  expect(chosen(primary, gone)).toEqual([
    'a',
    'the primary',
    'no answer: c: no route',
    'the primary is dumped: main has no standby that answers',
  ])
  expect(chosen(far, gone)).toEqual([
    'c',
    'a standby',
    'no answer: c: no route',
    'how far c is behind is not known: no primary answered',
  ])
})

test('two primaries are nobody to be dumped', () => {
  expect(() => chosen(primary, { ...close, standby: false })).toThrow('two primaries: a and b')
})

test('nobody at all: why', () => {
  expect(() => chosen(gone)).toThrow('c: no route')
})

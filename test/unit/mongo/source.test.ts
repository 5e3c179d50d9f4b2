import { expect, test } from 'vitest'

import { Access, Host } from '../../../lib/host/host.ts'
import { MongoServer } from '../../../lib/mongo/server.ts'
import { chooseSource, describeSource } from '../../../lib/mongo/source.ts'
import type { Role, Standing } from '../../../lib/mongo/standing.ts'
import { RecordedRun, ScriptedMachine } from '../doubles.ts'

/** @param second of the minute in which it has last written */
function member(name: string, role: Role | undefined, second = 0): Standing {
  const machine = new ScriptedMachine(name, () => 0)
  const host = new Host(new Access(machine, async () => undefined), new RecordedRun(), 'root')
  const server = new MongoServer(host, { port: 27017, tls: undefined, login: undefined })
  const written = new Date(Date.UTC(2026, 10, 28, 2, 30, second))
  return { server, version: '7.0.14', role, state: role ?? 'RECOVERING', written }
}

function choose(standings: Standing[], wanted: 'primary' | 'standby' = 'standby', failures: unknown[] = []) {
  const source = chooseSource({ standings, failures }, 'rs0', wanted)
  return [source.server.name, describeSource(source), ...source.remarks]
}

const primary = member('m1', 'primary', 59)

test('the closest secondary', () => {
  expect(choose([member('m2', 'secondary', 50), primary, member('m3', 'secondary', 57)])).toEqual([
    'm3',
    'a secondary, 2 s behind',
  ])
})

test('the primary, when the secondaries are too far behind, catching up, or not wanted', () => {
  expect(choose([primary, member('m2', 'secondary', 5)])).toEqual([
    'm1',
    'the primary',
    'the primary is dumped: m2 is 54 s behind, more than the 30 s that are allowed',
  ])
  expect(choose([primary, member('m2', undefined)])).toEqual([
    'm1',
    'the primary',
    'the primary is dumped: rs0 has no secondary that answers',
  ])
  expect(choose([primary, member('m2', 'secondary', 59)], 'primary')).toEqual(['m1', 'the primary'])
})

test('a secondary, when no primary answers: that is told', () => {
  expect(choose([member('m2', 'secondary')], 'primary', [new Error('m1: connection refused')])).toEqual([
    'm2',
    'a secondary',
    'no answer: m1: connection refused',
    'how far m2 is behind is not known: no primary answered',
  ])
})

test('a server that stands alone', () => {
  expect(choose([member('m1', 'standalone')])).toEqual(['m1', 'which stands alone'])
})

test('two primaries; nobody who can be dumped', () => {
  expect(() => choose([primary, member('m2', 'primary')])).toThrow('two primaries: m1 and m2')
  expect(() => choose([member('m1', undefined)])).toThrow('no member of rs0 can be dumped: m1 is RECOVERING')
})

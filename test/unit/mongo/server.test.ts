import { describe, expect, test } from 'vitest'

import { Access, Host } from '../../../lib/host/host.ts'
import { readCollections } from '../../../lib/mongo/collections.ts'
import { toolVersion } from '../../../lib/mongo/programs.ts'
import { checkRoom } from '../../../lib/mongo/room.ts'
import { MongoServer } from '../../../lib/mongo/server.ts'
import { readStanding } from '../../../lib/mongo/standing.ts'
import { type Call, RecordedRun, rejection, type Script, ScriptedMachine } from '../doubles.ts'

const way = {
  port: 27017,
  tls: undefined,
  login: { user: 'ops', password: Math.random().toString(36), database: 'admin' },
}

interface Asked {
  db: string
  command: Record<string, unknown>
}

/** A server whose mongosh answers what a test says, or anything else on that machine. */
function serverOf(script: Script) {
  const machine = new ScriptedMachine('m1', script)
  const run = new RecordedRun()
  const host = new Host(new Access(machine, async () => undefined), run, 'root')
  return { server: new MongoServer(host, way), machine, run, host }
}

/** As mongosh prints them, with what it says besides before it. */
function answering(answer: (asked: Asked) => object): Script {
  return async ({ input, say }: Call) => {
    const task = /^const task = (.*);$/m.exec(await input())?.[1] ?? ''
    const { commands }: { commands: Asked[] } = JSON.parse(task)
    say(`a word of warning\n${JSON.stringify(commands.map((one) => ({ ok: 1, ...answer(one) })))}\n`)
    return 0
  }
}

function failing(code: number, said: string): Script {
  return ({ complain }) => {
    complain(`${said}\n`)
    return code
  }
}

const hello = { db: 'admin', command: { hello: 1 } }

test('the password stands in no command and in no journal', async () => {
  const { server, machine, run } = serverOf(answering(() => ({})))
  await server.ask([hello])
  await server.act([{ db: 'webapp', command: { dropDatabase: 1 } }])
  expect(machine.started).toHaveLength(2)
  expect(JSON.stringify([machine.started, run.changes])).not.toContain(way.login.password)
  expect(run.changes).toMatchObject([
    { state: 'done', command: 'mongosh', input: 'webapp: {"dropDatabase":1}' },
  ])
})

test.each([
  [1, 'MongoServerError: Authentication failed.', 'm1: Authentication failed.', /"ops" of "admin"/],
  [
    1,
    'MongoNetworkError: connect ECONNREFUSED 127.0.0.1:27017',
    'm1: connect ECONNREFUSED 127.0.0.1:27017',
    /systemctl status mongod; net.bindIp/,
  ],
  [
    1,
    'MongoServerError: not authorized on admin to execute command { replSetGetStatus: 1 }',
    /^m1: not authorized/,
    /roles that docs\/backup.md names/,
  ],
  [127, 'bash: line 1: exec: mongosh: not found', 'm1 has no mongosh', /apt-get install mongodb-mongosh/],
])('what to do when mongosh ends with %s and says %s', async (code, said, message, next) => {
  const { server } = serverOf(failing(code, said))
  expect(await rejection(server.ask([hello]))).toMatchObject({
    message: typeof message === 'string' ? message : expect.stringMatching(message),
    next: expect.stringMatching(next),
  })
})

describe('a member', () => {
  const written = '2026-11-28T02:30:00.000Z'
  const secondary = serverOf(
    answering(({ command }) => {
      if ('hello' in command) return { setName: 'rs0', isWritablePrimary: false, secondary: true }
      if ('buildInfo' in command) return { version: '7.0.14' }
      return {
        members: [
          { stateStr: 'PRIMARY', optimeDate: { $date: '2026-11-28T02:30:09.000Z' } },
          { self: true, stateStr: 'SECONDARY', optimeDate: { $date: written } },
        ],
      }
    }),
  )

  test('says what it is and when it has written last', async () => {
    expect(await readStanding(secondary.server, 'rs0')).toMatchObject({
      role: 'secondary',
      state: 'SECONDARY',
      version: '7.0.14',
      written: new Date(written),
    })
  })

  test.each([
    ['rs1', 'm1 is in the replica set rs0, and the inventory says that it is in rs1'],
    [undefined, 'm1 is in the replica set rs0, and the inventory says that it stands alone'],
  ])('of another replica set than %s is not touched', async (replicaSet, message) => {
    expect(await rejection(readStanding(secondary.server, replicaSet))).toMatchObject({ message })
  })
})

function batch(...rows: object[]) {
  return { cursor: { id: 0, firstBatch: rows } }
}

test('collections are counted with their indexes; an empty one, a view and a time series, too', async () => {
  const { server } = serverOf(
    answering(({ command }) => {
      if ('listCollections' in command) {
        return batch(
          { name: 'users', type: 'collection' },
          { name: 'empty', type: 'collection' },
          { name: 'seen', type: 'view' },
          { name: 'heat', type: 'timeseries' },
          { name: 'system.buckets.heat', type: 'collection' },
          { name: 'system.views', type: 'collection' },
          { name: '__hausmeister_scratch', type: 'collection' },
        )
      }
      if ('listIndexes' in command) return batch({ name: 'name_1' }, { name: '_id_' })
      const counts: Record<string, number> = { users: 3, 'system.buckets.heat': 2 }
      const n = counts[String(command['aggregate'])]
      return n === undefined ? batch() : batch({ n })
    }),
  )
  const indexes = ['_id_', 'name_1']
  expect(await readCollections(server, 'webapp')).toEqual({
    users: { kind: 'collection', documents: 3, indexes },
    empty: { kind: 'collection', documents: 0, indexes },
    seen: { kind: 'view', documents: 0, indexes: [] },
    heat: { kind: 'timeseries', documents: 2, indexes },
  })
})

test('a disk with less room than the documents need is told before anything is made', async () => {
  const { server } = serverOf(answering(() => ({ fsUsedSize: 9_000_000, fsTotalSize: 10_000_000 })))
  await checkRoom(server, 900_000)
  expect(await rejection(checkRoom(server, 2_000_000))).toMatchObject({
    message: 'm1 has 977 kB free for its data, and 1.9 MB are needed',
  })
})

test.each([
  ['mongodump version: 100.10.0\ngit version: x', '100.10.0'],
  ['mongodump version: 100.3.1', '100.3.1'],
  ['mongodump version: r4.2.24', /mongodump on m1 is 4\.2\.24, and cannot be given a password unseen/],
  ['mongodump version: 100.2.0', /is 100\.2\.0/],
  ['mongodump version: built-without-version-string', /of no version that it tells/],
  ['', 'm1 has no mongodump'],
])('of %j', async (said, expected) => {
  const { host } = serverOf(({ say }) => {
    say(`${said}\n`)
    return 0
  })
  const version = await toolVersion(host, 'mongodump').catch((error: unknown) =>
    error instanceof Error ? error.message : '',
  )
  if (typeof expected === 'string') expect(version).toBe(expected)
  else expect(version).toMatch(expected)
})

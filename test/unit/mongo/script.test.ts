import { createContext, runInContext } from 'node:vm'

import { EJSON } from 'bson'
import { expect, test } from 'vitest'

import { scriptOf } from '../../../lib/mongo/script.ts'

const way = {
  port: 27017,
  tls: { ca: '/etc/ssl/mongo.pem' },
  login: { user: 'ops', password: 'a "b" \\ ${c} `d` \u2028', database: 'admin' },
}

/** As mongosh runs it, but that what waits there is here at once. */
function run(script: string): { connected: unknown[]; printed: string[] } {
  const seen = { connected: [] as unknown[], printed: [] as string[] }
  const connect = (...words: unknown[]) => {
    seen.connected = words
    return {
      getSiblingDB: (db: string) => ({ runCommand: (command: object) => ({ ok: 1, db, ...command }) }),
    }
  }
  runInContext(script, createContext({ connect, EJSON, print: (text: string) => seen.printed.push(text) }))
  return seen
}

test('commands are run in order by who logs in, and their answers are one line', () => {
  const commands = [
    { db: 'admin', command: { hello: 1 } },
    { db: 'webapp', command: { dbStats: 1 } },
  ]
  const { connected, printed } = run(scriptOf(way, commands))
  expect(connected).toEqual([expect.any(String), 'ops', way.login.password])
  const uri = new URL(String(connected[0]))
  expect([uri.host, uri.password, Object.fromEntries(uri.searchParams)]).toEqual([
    '127.0.0.1:27017',
    '',
    expect.objectContaining({
      directConnection: 'true',
      authSource: 'admin',
      tls: 'true',
      tlsCAFile: '/etc/ssl/mongo.pem',
    }),
  ])
  expect(printed.map((line) => JSON.parse(line))).toEqual([
    [
      { ok: 1, db: 'admin', hello: 1 },
      { ok: 1, db: 'webapp', dbStats: 1 },
    ],
  ])
})

test('without a login nobody logs in', () => {
  const { connected } = run(scriptOf({ port: 27018, tls: undefined, login: undefined }, []))
  expect(connected).toEqual([expect.stringMatching(/^mongodb:\/\/127\.0\.0\.1:27018\/\?(?!.*tls)/)])
})

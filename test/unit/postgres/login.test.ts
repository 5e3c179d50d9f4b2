import { describe, expect, test } from 'vitest'

import { databasePath } from '../../../lib/postgres/driver-server.ts'
import { knock, logIn } from '../../../lib/postgres/login.ts'
import { PostgresError } from '../../../lib/postgres/server.ts'
import { failure } from '../doubles.ts'
import { backend } from './backend.ts'

const password = `p@ss:/?#[]%ü&=+ '"${Math.random().toString(36)}`

describe('logging in', () => {
  test.each(['shop', 'a:b', 'a/b', '/b', 'a b', 'a%3Ab', 'ü', 'a&b=c+d', "it's"])(
    'to the database %s',
    async (database) => {
      const { client, said } = backend({ password, query: () => [{ user: 'shop app@x', tables: 4 }] })
      const login = await logIn('pg-1', client, { user: 'shop app@x', password, database })
      expect(login).toEqual({ user: 'shop app@x', tables: 4 })
      expect(said).toMatchObject({ user: 'shop app@x', database, application: 'hausmeister' })
    },
  )

  test('and leaving again asks nothing', async () => {
    const asked: string[] = []
    const { client, said } = backend({
      password,
      query: (text) => {
        asked.push(text)
        return []
      },
    })
    await knock('pg-1', client, { user: 'app', password, database: 'shop' })
    expect(said).toMatchObject({ user: 'app', database: 'shop' })
    expect(asked).toEqual([])
    const other = backend({ password, query: () => [] })
    const wrong = { user: 'app', password: 'wrong', database: 'shop' }
    expect(await failure(knock('pg-1', other.client, wrong))).toBeInstanceOf(PostgresError)
  })

  test('with a wrong password', async () => {
    const { client } = backend({ password, query: () => [] })
    const error = await failure(logIn('pg-1', client, { user: 'app', password: 'wrong', database: 'shop' }))
    expect(error).toBeInstanceOf(PostgresError)
    expect(error.message).toBe('PostgreSQL on pg-1: password authentication failed for user "app"')
    expect(client.destroyed).toBe(true)
  })

  test('to a server that hangs up', async () => {
    const { client } = backend({ query: () => [] })
    client.end()
    client.destroy()
    const error = await failure(logIn('pg-1', client, { user: 'app', password, database: 'shop' }))
    expect(error.message).toMatch(/^PostgreSQL on pg-1: /)
  })
})

test.each(['a?b', 'a#b', '.', '..'])('a database called %s cannot stand in a URL', (name) => {
  expect(() => databasePath(name)).toThrow(`the driver cannot reach a database called "${name}"`)
})

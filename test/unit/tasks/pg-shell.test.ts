import { describe, expect, test } from 'vitest'

import { HostError } from '../../../lib/host/errors.ts'
import { task } from '../../../tasks/pg-shell.ts'
import type { Script } from '../doubles.ts'
import { FakePostgres } from '../postgres/fake-postgres.ts'
import { psqlOn } from '../postgres/psql.ts'
import { shopEstate } from '../postgres/reset/shop.ts'
import { play } from './play.ts'

type Shell = () => number

/** pg-2 is the primary; what is typed there is up to `shell`. */
function machines(shell: Shell = () => 0, silent: string[] = []): (name: string) => Script {
  return (name) => (call) => {
    if (silent.includes(name)) throw new HostError(name, 'unreachable', 'no answer')
    const postgres = new FakePostgres({ name: 'shop', comment: '[hausmeister environment=development]' })
    postgres.standby = name === 'pg-1'
    if (call.script.includes('hausmeister-shell')) return shell()
    return call.script.includes('psql') ? psqlOn(postgres)(call) : 0
  }
}

function lose(): number {
  throw new HostError('pg-2', 'lost', 'the connection was lost')
}

const opened = { state: 'done', host: 'pg-2', user: 'postgres', command: "psql -p 5432 -d dbname='shop'" }

test('opens psql on the primary, wherever it stands in the inventory', async () => {
  const { error, changes, events } = await play(task, await shopEstate(), {}, machines())
  expect(error).toBeUndefined()
  expect(changes).toEqual([opened])
  const titles = events.flatMap((event) =>
    event.event === 'step' && event.state === 'done' ? [event.title] : [],
  )
  expect(titles).toEqual(['Primary of main is pg-2', 'Open psql on pg-2'])
})

test('a dry run says what would be opened, and opens nothing', async () => {
  const { error, changes } = await play(task, await shopEstate(), {}, machines(), true)
  expect(error).toBeUndefined()
  expect(changes).toEqual([{ ...opened, state: 'would' }])
})

test('a standby is never taken for want of a primary', async () => {
  const { error, changes } = await play(task, await shopEstate(), {}, machines(undefined, ['pg-2']))
  expect(error?.message).toMatch(/^pg-1 is a standby, and no primary was found; no answer from the others/)
  expect(error?.code).toBe(3)
  expect(changes).toEqual([])
})

describe('what psql ended with', () => {
  test('is told', async () => {
    const { error } = await play(
      task,
      await shopEstate(),
      {},
      machines(() => 2),
    )
    expect([error?.message, error?.code]).toEqual(['psql on pg-2 ended with exit code 2', 1])
  })

  test('a connection that was lost in the middle is one', async () => {
    const { error, changes } = await play(task, await shopEstate(), {}, machines(lose))
    expect([error?.message, error?.code]).toEqual(['pg-2: the connection was lost', 3])
    expect(changes).toEqual([opened])
  })
})

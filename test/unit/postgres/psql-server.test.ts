import { describe, expect, test } from 'vitest'
import * as z from 'zod'

import { errorBehind, HostError } from '../../../lib/host/errors.ts'
import { Access, Host } from '../../../lib/host/host.ts'
import { PsqlServer } from '../../../lib/postgres/psql-server.ts'
import { PostgresError, transaction } from '../../../lib/postgres/server.ts'
import { identifier, sql } from '../../../lib/postgres/sql.ts'
import { type Call, type Script, RecordedRun, rejection, ScriptedMachine } from '../doubles.ts'

function serverOn(script: Script, run = new RecordedRun()) {
  const machine = new ScriptedMachine('pg-1', script)
  const host = new Host(new Access(machine, async () => undefined), run, 'root')
  return { server: new PsqlServer(host, 5433), machine, run }
}

describe('a question', () => {
  test('goes to psql on stdin, as postgres, and cannot change anything', async () => {
    const inputs: string[] = []
    const { server, machine, run } = serverOn(async ({ input, say }) => {
      inputs.push(await input())
      say('[{"one": 1}, \n {"one": 2}]\n')
      return 0
    })
    expect(await server.select(z.object({ one: z.number() }), sql`select 1 as one`)).toEqual([
      { one: 1 },
      { one: 2 },
    ])
    expect(inputs).toEqual([`select coalesce(json_agg(q), '[]') from (select 1 as one) q;\n`])
    expect(machine.started).toEqual([
      'postgres: set -euo pipefail; cd /; env ' +
        "PGAPPNAME=hausmeister PGCLIENTENCODING=UTF8 PGOPTIONS='-c default_transaction_read_only=on' " +
        String.raw`psql -X -q -A -t -v 'ON_ERROR_STOP=1' -p 5433 -d 'dbname='\''postgres'\'''`,
    ])
    expect(run.changes).toEqual([])
  })

  test('whose answer has another shape is a bug, and says which', async () => {
    const { server } = serverOn(({ say }) => {
      say('[{"one": "1"}]')
      return 0
    })
    await expect(server.select(z.object({ one: z.number() }), sql`select`)).rejects.toThrow('expected number')
  })

  test.each([
    ['a b', String.raw`'dbname='\''a b'\'''`],
    ["it's", String.raw`'dbname='\''it\'\''s'\'''`],
    ['a=b', String.raw`'dbname='\''a=b'\'''`],
    ['a\\b', String.raw`'dbname='\''a\\b'\'''`],
  ])('in the database %s, whose name is no connection string', async (database, word) => {
    const { server, machine } = serverOn(({ say }) => {
      say('[]')
      return 0
    })
    await server.select(z.object({}), sql`select`, database)
    expect(machine.started[0]?.split(' -d ')[1]).toBe(word)
  })
})

/** Knows the answer to `select N as one`, and to nothing else. */
async function answers({ input, say, complain }: Call, inputs: string[] = []): Promise<number> {
  const text = await input()
  inputs.push(text)
  const numbers = [...text.matchAll(/\(select (\S+) as one\)/g)].map(([, number]) => Number(number))
  if (numbers.some(Number.isNaN)) {
    complain('ERROR:  column "what" does not exist')
    return 3
  }
  const rows = numbers.map((one) => [{ one }])
  say(JSON.stringify(text.includes('json_build_array') ? rows : rows[0]))
  return 0
}

describe('questions that are asked at once', () => {
  const Row = z.object({ one: z.number() })

  test('go in one psql for each database', async () => {
    const inputs: string[] = []
    const { server, machine } = serverOn((call) => answers(call, inputs))
    const all = await Promise.all([
      server.select(Row, sql`select 1 as one`),
      server.select(Row, sql`select 2 as one`, 'shop'),
      server.select(Row, sql`select 3 as one`),
    ])
    expect(all).toEqual([[{ one: 1 }], [{ one: 2 }], [{ one: 3 }]])
    expect(machine.started.length).toBe(2)
    expect(await server.select(Row, sql`select 4 as one`)).toEqual([{ one: 4 }])
    expect(machine.started.length).toBe(3)
  })

  test('and one that fails takes no other with it', async () => {
    const { server } = serverOn((call) => answers(call))
    const [one, what] = await Promise.allSettled([
      server.select(Row, sql`select 1 as one`),
      server.select(Row, sql`select what as one`),
    ])
    expect(one).toEqual({ status: 'fulfilled', value: [{ one: 1 }] })
    expect(what).toMatchObject({
      status: 'rejected',
      reason: { message: 'PostgreSQL on pg-1: ERROR:  column "what" does not exist' },
    })
  })

  test('are lost together with the connection', async () => {
    const { server, machine } = serverOn(() => {
      throw new HostError('pg-1', 'lost', 'the connection was lost')
    })
    const both = await Promise.allSettled([
      server.select(Row, sql`select 1 as one`),
      server.select(Row, sql`select 2 as one`),
    ])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(machine.started.length).toBe(1)
  })
})

describe('a change', () => {
  test('is told as SQL', async () => {
    let text = ''
    const { server, run } = serverOn(async ({ input }) => {
      text = await input()
      return 0
    })
    await server.change(transaction([sql`drop table ${identifier('t')}`]), 'shop')
    expect(text).toBe('begin;\ndrop table "t";\ncommit;\n')
    expect(run.changes).toEqual([
      {
        state: 'done',
        host: 'pg-1',
        user: 'postgres',
        command: 'psql shop',
        input: 'begin;\ndrop table "t";\ncommit;',
      },
    ])
  })

  test('is only told in a dry run', async () => {
    const { server, machine, run } = serverOn(() => 0, new RecordedRun({ dryRun: true }))
    await server.change([sql`drop database ${identifier('shop')}`])
    expect(machine.started).toEqual([])
    expect(run.changes).toMatchObject([{ state: 'would', input: 'drop database "shop";' }])
  })
})

describe('a failure', () => {
  test.each([
    ['ERROR:  database "shop" already exists', 3, 'ERROR:  database "shop" already exists'],
    ['psql: error: connection refused', 2, 'connection refused'],
    ['', 2, 'psql ended with exit code 2'],
  ])("is told in the server's words: %s", async (said, code, message) => {
    const { server } = serverOn(({ complain }) => {
      complain(said)
      return code
    })
    const error = await rejection(server.change([sql`create database shop`]))
    expect(error).toBeInstanceOf(PostgresError)
    expect(error).toMatchObject({ message: `PostgreSQL on pg-1: ${message}` })
  })

  test('of the connection is none of the server', async () => {
    const { server } = serverOn(() => {
      throw new HostError('pg-1', 'lost', 'the connection was lost')
    })
    const error = await rejection(server.select(z.object({}), sql`select`))
    expect(error).not.toBeInstanceOf(PostgresError)
    expect(errorBehind(error, HostError)?.failure).toBe('lost')
  })
})

describe('a script', () => {
  const script = { name: '1_init', text: String.raw`create table a (); select '\! ls'` }

  test('goes to the server as a value, so that psql does not read it', async () => {
    const inputs: string[] = []
    const { server, run } = serverOn(async ({ input }) => {
      inputs.push(await input())
      return 0
    })
    await server.script(script, 'shop_app', 'shop_shadow')
    expect(inputs).toEqual([`set role "shop_app";\nselect $text$${script.text}$text$ \\gexec\n`])
    expect(run.changes).toEqual([
      { state: 'done', host: 'pg-1', user: 'postgres', command: 'psql shop_shadow as shop_app < 1_init' },
    ])
  })

  test('in a dry run is only told', async () => {
    const { server, machine, run } = serverOn(() => 0, new RecordedRun({ dryRun: true }))
    await server.script(script, 'shop_app', 'shop_shadow')
    expect(machine.started).toEqual([])
    expect(run.changes).toMatchObject([{ state: 'would' }])
  })
})

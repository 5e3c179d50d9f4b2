import { Readable } from 'node:stream'

import { describe, expect, test } from 'vitest'

import { Host, Access } from '../../../../lib/host/host.ts'
import type { RestoreProgram } from '../../../../lib/postgres/restore/programs.ts'
import { restoreDump, RestoreError } from '../../../../lib/postgres/restore/restore.ts'
import { type Call, RecordedRun, rejection, type Script, ScriptedMachine } from '../../doubles.ts'

const archive = 'PGDMP of nobody'

function programOn(script: Script, run = new RecordedRun()): RestoreProgram {
  const machine = new ScriptedMachine('pg-1', script, { loginUser: 'postgres' })
  return {
    server: 'pg-1',
    place: 'pg-1',
    inside: [],
    host: new Host(new Access(machine, async () => undefined), run, 'postgres'),
    connection: (database) => `dbname='${database}'`,
    flags: ['-p', '5432'],
    settings: [],
    password: 'secret word',
    folder: '/usr/lib/postgresql/17/bin',
    version: '17.6',
  }
}

function dumped() {
  return { content: Readable.from([Buffer.from(archive)]), bytes: archive.length }
}

test('the dump comes after the password, and neither is in the command or the journal', async () => {
  let heard = ''
  let line = ''
  const run = new RecordedRun()
  const program = programOn(async ({ script, input }: Call) => {
    line = script
    heard = await input()
    return 0
  }, run)
  await restoreDump(program, 'copy', dumped(), true)
  expect(heard).toBe(`secret word\0${archive}`)
  expect(line).toMatch(/pg_restore --no-password -p 5432 --exit-on-error -d /)
  expect(line).not.toMatch(/secret word|--no-owner/)
  expect(JSON.stringify(run.changes)).not.toContain('secret word')
  expect(run.changes).toMatchObject([{ state: 'done', command: 'pg_restore into copy' }])
})

test('without roles, owners and grants are left out', async () => {
  let line = ''
  const program = programOn(async ({ script, input }: Call) => {
    line = script
    await input()
    return 0
  })
  await restoreDump(program, 'copy', dumped(), false)
  expect(line).toContain('--no-owner --no-acl')
})

test('in a container it is on a leash, and told how long the dump is: its end may be our own', async () => {
  let line = ''
  const program = programOn(({ script }: Call) => {
    line = script
    return 0
  })
  const inside = { ...program, inside: ['podman', 'exec', '-i', 'box'], password: '' }
  await restoreDump(inside, 'copy', dumped(), true)
  expect(line).toMatch(/exec podman exec -i box sh -c [^]* leash [^]*pg_restore [^]* 15'$/)
})

async function failed(said: string, code = 1): Promise<RestoreError> {
  const program = programOn(({ complain }) => {
    complain(said)
    return code
  })
  const error = await rejection(restoreDump(program, 'copy', dumped(), true))
  if (error instanceof RestoreError) return error
  throw error
}

describe('what it says when it fails', () => {
  test.each([
    'pg_restore: error: could not execute query: ERROR:  syntax error at or near "x"',
    'pg_restore: error: could not execute query: ERROR:  insert or update on table "a" violates foreign key constraint "b"',
  ])('%s: the dump is to blame', async (said) => {
    expect(await failed(said)).toMatchObject({ blamesDump: true, seen: said })
  })

  test.each([
    'pg_restore: error: could not read from input file: end of file',
    'pg_restore: error: COPY failed for table "a": ERROR:  could not extend file "base/1/2": No space left on device',
    'pg_restore: error: could not execute query: ERROR:  extension "postgis" is not available',
    'pg_restore: error: could not execute query: ERROR:  role "anna" does not exist',
    'pg_restore: error: could not execute query: server closed the connection unexpectedly',
    'pg_restore: error: unsupported version (1.16) in file header',
    'pg_restore: error: could not execute query: ERROR:  collation "de_DE" for encoding "UTF8" does not exist',
  ])('%s: it is not, and what to do is told', async (said) => {
    expect(await failed(said)).toMatchObject({ blamesDump: false, next: expect.any(String) })
  })

  test.each([
    'pg_restore: error: could not execute query: FEHLER:  konnte Datei »base/1/2« nicht erweitern: Auf dem Gerät ist kein Speicherplatz mehr verfügbar',
    'pg_restore: error: COPY failed for table "a": FEHLER:  doppelter Schlüsselwert verletzt Unique-Constraint »b«',
  ])('%s: who knows; nothing is said of the dump', async (said) => {
    expect(await failed(said)).toMatchObject({
      blamesDump: false,
      next: expect.stringContaining('not in English'),
    })
  })

  test('killed: it is not', async () => {
    expect(await failed('bash: line 4: 1568 Killed  pg_restore --exit-on-error', 137)).toMatchObject({
      blamesDump: false,
    })
  })
})

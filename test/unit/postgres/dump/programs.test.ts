import { expect, test } from 'vitest'

import { leash } from '../../../../lib/container/leash.ts'
import { Hosts } from '../../../../lib/host/hosts.ts'
import { quote } from '../../../../lib/host/quote.ts'
import { describePrograms, lineOf, programsFor, suitable } from '../../../../lib/postgres/dump/programs.ts'
import { scriptOf } from '../../../../lib/postgres/dump/way.ts'
import { estateOf, RecordedRun, rejection, ScriptedMachine } from '../../doubles.ts'

test('the oldest pg_dump that is not older than the server is taken', () => {
  const all = ['15.14', '18.1', '17.6'].map((version) => ({ folder: `/v${version}`, version }))
  expect([15, 16, 17, 19].map((version) => suitable(all, version)?.version)).toEqual([
    '15.14',
    '17.6',
    '17.6',
    undefined,
  ])
})

const lines = `/usr/lib/postgresql/15/bin pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)
/usr/lib/postgresql/17/bin pg_dump (PostgreSQL) 17.6 (Debian 17.6-0+deb13u1)
 pg_dump (PostgreSQL) 17.6 (Debian 17.6-0+deb13u1)
`

/** As podman inspects it. */
const box = {
  State: { Status: 'running', Running: true, ExitCode: 0 },
  Config: { Env: ['POSTGRES_USER=shop'] },
  HostConfig: { NetworkMode: 'bridge' },
  NetworkSettings: {},
}

/** @param complaint of pg_dump when it is told to compress with zstd */
async function stage(
  url: string,
  complaint = 'connection to server on socket "/nowhere/.s.PGSQL.5432" failed',
) {
  const roles = { shop_app: {} }
  const databases = { shop: { owner: 'shop_app', environment: 'test' } }
  const estate = await estateOf(
    {
      hosts: { db: {}, desk: {} },
      postgres: {
        main: { hosts: ['db'], port: 5433, databases, roles },
        far: { url: 'env:FAR', via: 'desk', databases, roles },
        alone: { url: 'env:FAR', databases, roles },
        box: { container: { runtime: 'podman', host: 'desk', name: 'box' }, databases, roles },
      },
    },
    { FAR: url },
  )
  const run = new RecordedRun()
  const hosts = new Hosts(estate, run, async (name) => {
    return new ScriptedMachine(name, ({ script, say, complain }) => {
      if (script.includes('--compress=zstd')) {
        complain(`pg_dump: error: ${complaint}\n`)
        return 1
      }
      if (script.includes('podman inspect')) say(JSON.stringify([box]))
      else if (script.includes('podman exec -i box pg_dump --version')) say('pg_dump (PostgreSQL) 17.6\n')
      else say(script.includes('command -v pg_dump') ? lines : '')
      return 0
    })
  })
  return { estate, hosts, run }
}

test('on our machines it is the user postgres at the socket', async () => {
  const programs = await programsFor(await stage(''), 'main', 'db', 17)
  expect([programs.host.name, programs.host.user, programs.password]).toEqual(['db', 'postgres', ''])
  expect(lineOf(programs, 'psql', "it's", ['-q'], ['PGCLIENTENCODING=UTF8'])).toBe(
    'env ' +
      `${quote('PGAPPNAME=hausmeister')} ${quote('LC_ALL=C')} ${quote('PGOPTIONS=-c lc_messages=C')} ${quote('PGCLIENTENCODING=UTF8')} ` +
      `/usr/lib/postgresql/17/bin/psql --no-password -p 5433 -q -d ${quote(String.raw`dbname='it\'s'`)}`,
  )
})

test('a managed server is dumped from where it is reached, with its password apart', async () => {
  const url =
    'postgresql://admin:p%40ss@pg.example:6432/postgres?sslmode=require&schema=public&pgbouncer=true'
  const programs = await programsFor(await stage(url), 'far', 'far', 15)
  expect([programs.host.name, programs.password, programs.version]).toEqual(['desk', 'p@ss', '15.14'])
  // A server refuses who may not set its language.
  expect(programs.settings).toEqual(['LC_ALL=C'])
  expect(programs.connection('a b')).toBe('postgresql://admin@pg.example:6432/a%20b?sslmode=require')
})

test('in a container they are those of its image, as its superuser, on a leash that knows their input', async () => {
  const programs = await programsFor(await stage(''), 'box', 'box', 17)
  expect([programs.host.name, programs.folder, programs.version, programs.flags]).toEqual([
    'desk',
    '',
    '17.6',
    ['-U', 'shop'],
  ])
  expect(describePrograms(programs)).toBe('pg_dump 17.6 on desk (container box), zstd')
  expect(scriptOf(programs, "it's", 12)).toBe(
    `${scriptOf({ ...programs, inside: [] }, '')}exec podman exec -i box sh -c ${quote(leash)} leash ${quote("it's")} 12`,
  )
  expect(await rejection(programsFor(await stage(''), 'box', 'box', 18))).toMatchObject({
    message: expect.stringMatching(/^desk \(container box\) has pg_dump 17\.6, and box is PostgreSQL 18/),
    next: expect.stringContaining('an image that has the programs of PostgreSQL 18'),
  })
})

test.each([
  ['connection to server on socket "/nowhere/.s.PGSQL.5432" failed', ['--compress=zstd']],
  ['this build does not support compression with zstd', []],
  ['invalid value "zstd" for option -Z/--compress', []],
])('zstd is used where pg_dump has it: %s', async (complaint, compression) => {
  expect(await programsFor(await stage('', complaint), 'main', 'db', 17)).toMatchObject({ compression })
})

test('who cannot dump says what is missing', async () => {
  const url = 'postgresql://admin:secret@pg.example/postgres'
  expect(await rejection(programsFor(await stage(url), 'main', 'db', 18))).toMatchObject({
    message: expect.stringContaining('db has pg_dump 15.14, 17.6, 17.6, and db is PostgreSQL 18'),
    next: 'as root on db: apt-get install postgresql-client-18',
  })
  expect(await rejection(programsFor(await stage(url), 'far', 'far', 18))).toMatchObject({
    message: expect.stringMatching(/^desk has pg_dump .*, and far is PostgreSQL 18: pg_dump refuses/),
    next: 'as root on desk: apt-get install postgresql-client-18',
  })
  expect(await rejection(programsFor(await stage(url), 'alone', 'alone', 17))).toMatchObject({
    message: expect.stringContaining('alone is known by its URL alone'),
    next: expect.stringContaining('postgres.alone.via'),
  })
})

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

import { ClusterStage, counts, detailOf } from './cluster-stage.ts'
import { notes } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'

const lab = openLab()
const folder = '/etc/postgresql/17/main'
const hosts = ['pg-primary', 'pg-replica']
let stage: ClusterStage

/** No more than the lines by hand of the lab's server allow. */
const access = ['internal', 'lan'].map((from) => ({ role: 'ww_app', database: 'weltenwind', from }))

const pgAccess = (...flags: string[]) => stage.run('pg-access', flags, { access })

beforeAll(async () => {
  await provisionPostgres(lab)
  stage = await ClusterStage.open(lab, hosts)
  for (const host of hosts) await lab.sh(host, `tar -C / -cf /root/before.tar ${folder}`)
})

/** The files as they were, and in force. */
afterEach(async () => {
  for (const host of hosts) {
    await lab.sh(host, 'tar -C / -xf /root/before.tar; pg_ctlcluster 17 main reload')
    await expect.poll(() => stage.psql(host, 'select 1').catch(() => '')).toBe('1')
  }
})
afterAll(async () => {
  for (const host of hosts) await lab.sh(host, 'rm -f /root/before.tar /root/hba /root/ident')
  await stage.close()
})

async function hba(host = 'pg-primary'): Promise<string> {
  return (await lab.sh(host, `cat ${folder}/pg_hba.conf; stat -c '%U %a' ${folder}/pg_hba.conf`)).stdout
}

/** Lines at the beginning of pg_hba.conf, as somebody with an editor would leave them. */
async function byHand(...lines: string[]): Promise<void> {
  const text = lines.map((line) => `${line}\n`).join('')
  await lab.sh(
    'pg-primary',
    `cat - ${folder}/pg_hba.conf > /root/hba; cat /root/hba > ${folder}/pg_hba.conf`,
    {
      input: text,
    },
  )
}

test('shown, then written on both machines, proven, and done the second time; lines by hand stay', async () => {
  const before = await hba()
  const dry = await pgAccess('--dry-run')
  expect(dry).toMatchObject({ code: 0, error: '' })
  const told = dry.events
    .filter(({ state }) => state === 'would')
    .map(({ host, input }) => `${host} ${input}`)
  expect(told.join('\n')).toMatch(/\+host +weltenwind +ww_app +10\.10\.10\.0\/24 +scram-sha-256 # internal/)
  expect(await hba()).toBe(before)

  const run = await pgAccess()
  expect(run).toMatchObject({ code: 0, error: '' })
  expect(counts(run).changed).toBe(4)
  expect(notes(run)).toContain('+# BEGIN hausmeister')
  expect(detailOf(run, /^Prove/)).toBe('2 allowed logins got in, 4 others were refused')
  const after = await hba()
  const block = /# BEGIN hausmeister[^]*# END hausmeister\n/
  expect(after.replace(block, '')).toBe(before)
  expect(after.indexOf('# BEGIN')).toBeGreaterThan(after.search(/^local +all +postgres +peer/m))
  expect(after.indexOf('# BEGIN')).toBeLessThan(after.search(/^host +all +all +127/m))
  expect(await hba('pg-replica')).toContain('# BEGIN hausmeister')
  expect(counts(await pgAccess())).toEqual({ changed: 0, unchanged: 2 })
})

test('a login that no rule allows and a line by hand lets in is named with that line', async () => {
  await byHand('# mine', 'host all ww_app 10.10.10.0/24 scram-sha-256')
  const run = await pgAccess()
  expect(run.code).toBe(1)
  expect(run.error).toMatch(
    /ww_app to postgres from \S+ \(10\.10\.10\.\d+\) should be refused and got in by line 2 of/,
  )
})

test('a login that a rule allows and a line by hand refuses is named with the words of the server', async () => {
  await byHand('host weltenwind ww_app 0.0.0.0/0 reject')
  const run = await pgAccess()
  expect(run.error).toMatch(
    /ww_app to weltenwind from \S+ \(10\.10\.10\.\d+\) should get in: .*pg_hba\.conf rejects connection/,
  )
})

test('a line by hand that PostgreSQL does not take, and a damaged block, are named, and nothing is changed', async () => {
  await byHand('# mine', 'host all all 10.0.0.0/8 scram')
  const before = await hba()
  const wrong = await pgAccess()
  expect(wrong).toMatchObject({
    code: 1,
    error: expect.stringMatching(
      /pg_hba\.conf line 2 on pg-primary: invalid authentication method "scram"; nothing was changed/,
    ),
  })
  expect(await hba()).toBe(before)

  await byHand('# BEGIN hausmeister: and no end')
  const damaged = await pgAccess()
  expect(damaged).toMatchObject({
    code: 1,
    error: expect.stringMatching(
      /is damaged: its first line is line 1, its last line is none; nothing was changed/,
    ),
  })
})

test('a file that would lock us out is put back before it is in force', async () => {
  await byHand('local all postgres reject')
  const before = await hba()
  const run = await pgAccess()
  expect(run).toMatchObject({
    code: 1,
    error: expect.stringMatching(
      /postgres could not log in by the local socket any more.*line 1 asks it for reject/,
    ),
  })
  expect(await hba()).toBe(before)
  expect(await stage.psql('pg-primary', 'select 1')).toBe('1')
})

test('where only the reload shows that we are locked out, the old file is put back, and it is said how things stand', async () => {
  await byHand('local all postgres peer map=staff')
  await lab.sh(
    'pg-primary',
    `cp ${folder}/pg_ident.conf /root/ident; echo 'staff anna postgres' >> ${folder}/pg_ident.conf`,
  )
  const before = await hba()
  const run = await pgAccess()
  expect(run).toMatchObject({
    code: 1,
    error: expect.stringMatching(
      /we cannot log in on pg-primary any more; the old \S+ is back, but it does not let us in either/,
    ),
  })
  expect(run.error).toMatch(/pg_ident\.conf was edited by hand/)
  expect(await hba()).toBe(before)
})

test('killed between the writing and the reload: the next run reloads', async () => {
  const killed = await stage.run(
    'pg-access',
    [],
    { access },
    {
      on: (line, kill) => {
        if (line.event === 'change' && line.command?.startsWith('write') === true) kill('SIGKILL')
      },
    },
  )
  expect(killed.code).toBeNull()
  const next = await pgAccess()
  expect(next).toMatchObject({ code: 0, error: '' })
  expect(detailOf(next, /^Prove/)).toMatch(/^2 allowed/)
  const reloads = next.events.filter(({ command }) => command?.endsWith('reload') === true)
  expect(reloads.map(({ host }) => host)).toEqual(hosts)
})

import { beforeAll, expect, test } from 'vitest'

import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'

const lab = openLab()

async function ask(host: string, sql: string): Promise<string> {
  return (await lab.sh(host, 'cd / && runuser -u postgres -- psql -X -At', { input: sql })).stdout
}

/** A login from another host; the password comes on stdin. */
function login(name: string): string {
  return `read -r PGPASSWORD; export PGPASSWORD; psql -X -h pg-primary -U ww_app -d ${name} -c ''`
}

function started(): Promise<string[]> {
  return Promise.all(
    ['pg-primary', 'pg-replica'].map((host) => ask(host, 'select pg_postmaster_start_time()')),
  )
}

beforeAll(() => provisionPostgres(lab))

test('ww_app logs in over TCP, from the app’s host and over the lan, to both its databases', async () => {
  const { app } = await lab.secrets()
  for (const [host, server] of [
    ['vm-app', '10.10.10.11'],
    ['pve', '192.168.2.11'],
  ] as const) {
    const logins = `read -r PGPASSWORD; export PGPASSWORD
      for name in weltenwind weltenwind_shadow; do psql -X -At -h ${server} -U ww_app -d $name -c "select current_user, current_database()"; done`
    const { stdout } = await lab.sh(host, logins, { input: `${app}\n` })
    expect(stdout).toBe('ww_app|weltenwind\nww_app|weltenwind_shadow')
  }
})

test('a wrong password, and a database that is not its own, are refused', async () => {
  const { app } = await lab.secrets()
  expect(await lab.sh('vm-app', login('weltenwind'), { input: 'wrong\n', nothrow: true })).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/password authentication failed/),
  })
  expect(await lab.sh('vm-app', login('postgres'), { input: `${app}\n`, nothrow: true })).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/no pg_hba.conf entry/),
  })
})

test('what is written on pg-primary arrives on pg-replica, which takes no writes', async () => {
  await ask(
    'pg-primary',
    'create table if not exists lab_proof (n int); truncate lab_proof; insert into lab_proof values (7);',
  )
  await expect.poll(() => ask('pg-replica', 'select n from lab_proof')).toBe('7')
  expect(await ask('pg-replica', 'select pg_is_in_recovery()')).toBe('t')
  await ask('pg-primary', 'drop table lab_proof')
})

test('provisioning again restarts nothing', async () => {
  const before = await started()
  await provisionPostgres(lab)
  expect(await started()).toEqual(before)
})

import { expect, test } from 'vitest'

import { lookAt, plainLocale } from '../../../lib/postgres/debian.ts'
import { hostNamed } from './setup/machine.ts'

const row = {
  version: 17,
  cluster: 'main',
  running: 1,
  start: 'auto',
  port: '5433',
  configdir: '/etc/postgresql/17/main',
  pgdata: '/var/lib/postgresql/17/main',
}

/** The parts of the answer, in the order in which they are asked for. */
async function look(parts: { rows?: unknown[]; lives?: string; packages?: string; files?: string }) {
  const { rows = [], lives = '', packages = '', files = '' } = parts
  const all = ['2048000', JSON.stringify(rows), lives, packages, '', 'C\nC.utf8', files, 'enabled']
  const host = hostNamed('pg-1', ({ say }) => {
    say(all.join('\n\n=== hausmeister ===\n'))
    return 0
  })
  return lookAt(host, 5432)
}

test('a bare machine', async () => {
  expect(await look({})).toMatchObject({
    name: 'pg-1',
    memory: 2048000 * 1024,
    clusters: [],
    installed: [],
    listener: '',
    locales: ['C', 'C.utf8'],
    enabled: 'enabled',
  })
})

test('a running server is on the port that it was started with, not on the one that waits for a restart', async () => {
  const { clusters } = await look({ rows: [row], lives: `${row.pgdata} 5432 started` })
  expect(clusters).toMatchObject([{ running: true, standby: false, port: 5432 }])
  const stopped = await look({
    rows: [{ ...row, running: 0, recovery: 1 }],
    lives: `${row.pgdata} 5432 started`,
  })
  expect(stopped.clusters).toMatchObject([{ running: false, standby: true, port: 5433 }])
})

test('what a killed run left half-made is no server, unless somebody has started it since', async () => {
  const files = '17\n.hausmeister-makes-17-main'
  const half = { rows: [{ ...row, running: 0 }], files }
  expect((await look({ ...half, lives: `${row.pgdata} 0 ` })).clusters).toEqual([])
  expect((await look({ ...half, lives: `${row.pgdata} 0 started` })).clusters).toHaveLength(1)
})

test('only servers that are installed whole count', async () => {
  const packages = 'postgresql-15 installed\npostgresql-17 half-configured\npostgresql-15-cron installed'
  expect((await look({ packages })).installed).toEqual([15])
})

test('locales are compared as glibc does', () => {
  expect(plainLocale('de_DE.UTF-8')).toBe(plainLocale('de_DE.utf8'))
  expect(plainLocale('de_DE.UTF-8')).not.toBe(plainLocale('de_DE'))
})

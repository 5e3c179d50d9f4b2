import { expect, test } from 'vitest'

import {
  confText,
  type Current,
  differing,
  roundedMemory,
  sortSettings,
  wantedSettings,
} from '../../../lib/postgres/conf.ts'

const MB = 1024 ** 2
const folder = '/etc/postgresql/17/main'
const ours = `${folder}/conf.d/hausmeister.conf`

function sizes(memory: number): Record<string, string> {
  return Object.fromEntries(
    wantedSettings(5432, memory)
      .filter(({ value }) => value.endsWith('MB'))
      .map(({ name, value }) => [name, value]),
  )
}

test.each([
  [512, ['128MB', '256MB', '64MB', '4MB']],
  [2048, ['512MB', '1024MB', '128MB', '5MB']],
  [8192, ['2048MB', '4096MB', '512MB', '20MB']],
  [131_072, ['8192MB', '65536MB', '1024MB', '64MB']],
])('sizes for %i MB of memory', (memory, expected) => {
  expect(Object.values(sizes(memory * MB))).toEqual(expected)
})

test('memory that differs by what a kernel takes for itself gives the same file', () => {
  expect(roundedMemory(2013 * MB)).toBe(roundedMemory(1998 * MB))
  expect(roundedMemory(2013 * MB)).toBe(2048 * MB)
})

function now(
  name: string,
  setting: string,
  unit: string | null,
  restart = false,
  usual: string | null = null,
): Current {
  return { name, setting, unit, restart, usual }
}

test('a standby gets no less than its primary has of what it would not start without', () => {
  const primary = [
    now('max_connections', '300', null, true, '100'),
    now('max_wal_senders', '20', null, true, '10'),
    now('max_worker_processes', '8', null, true, '8'),
    now('work_mem', '1', null, true, '4096'),
  ]
  const values = new Map(wantedSettings(5432, MB, primary).map(({ name, value }) => [name, value]))
  expect(values.get('max_connections')).toBe('300')
  expect(values.get('max_wal_senders')).toBe('20')
  expect(values.has('max_worker_processes')).toBe(false)
  expect(values.get('work_mem')).toBe('4MB')
})

function sorted(lines: [name: string, value: string, file: string][]) {
  const all = lines.map(([name, value, file], index) => ({
    name,
    value,
    file: `${folder}/${file}`,
    line: index + 1,
  }))
  const { write, left, against } = sortSettings(wantedSettings(5432, 8192 * MB), all, ours)
  return {
    written: write.map(({ name }) => name),
    left: left.map(({ name }) => name),
    against: against.map(({ name, line }) => `${name} ${line}`),
  }
}

test('what initdb wrote is nobody’s decision, what somebody wrote goes first', () => {
  const { written, left } = sorted([
    ['shared_buffers', '128MB', 'postgresql.conf'],
    ['work_mem', '128MB', 'postgresql.conf'],
    ['effective_cache_size', '1GB', 'conf.d/aaa.conf'],
    ['maintenance_work_mem', '2GB', 'conf.d/hausmeister.conf'],
  ])
  expect(left).toEqual(['effective_cache_size', 'work_mem'])
  expect(written).toContain('shared_buffers')
  expect(written).toContain('maintenance_work_mem')
})

test('a needed setting is left to a line that is as good, is put right where ours is read later, else refused', () => {
  expect(sorted([['wal_level', 'logical', 'postgresql.conf']])).toMatchObject({
    left: ['wal_level'],
    against: [],
  })
  expect(sorted([['wal_log_hints', 'yes', 'conf.d/own.conf']]).left).toEqual(['wal_log_hints'])
  const earlier = sorted([['wal_level', 'minimal', 'conf.d/a.conf']])
  expect(earlier.written).toContain('wal_level')
  expect(earlier.against).toEqual([])
  expect(sorted([['wal_level', 'minimal', 'conf.d/own.conf']]).against).toEqual(['wal_level 1'])
  expect(sorted([['port', '5433', 'postgresql.auto.conf']]).against).toEqual(['port 1'])
})

test('only other machines can make a list of addresses good', () => {
  expect(sorted([['listen_addresses', 'localhost', 'conf.d/own.conf']]).against).toHaveLength(1)
  expect(sorted([['listen_addresses', '127.0.0.1, 10.0.0.1', 'conf.d/own.conf']]).left).toHaveLength(1)
})

test('what the server does not run with yet is told apart by what it takes', () => {
  const settings = wantedSettings(5432, 8192 * MB)
  const current = [
    now('listen_addresses', '*', null, true),
    now('port', '5432', null, true),
    now('password_encryption', 'scram-sha-256', null),
    now('wal_level', 'replica', null, true),
    now('wal_log_hints', 'off', null, true),
    now('max_connections', '100', null, true),
    now('shared_buffers', '262144', '8kB', true),
    now('effective_cache_size', '524288', '8kB'),
    now('maintenance_work_mem', '524288', 'kB'),
    now('work_mem', '4096', 'kB'),
  ]
  const { reload, restart } = differing(settings, current)
  expect(reload.map(({ name }) => name)).toEqual(['work_mem'])
  expect(restart.map(({ name }) => name)).toEqual(['wal_log_hints'])
})

test('each setting of the file has its reason above it', () => {
  const settings = wantedSettings(5432, 1024 * MB)
  const text = confText(settings, [{ name: 'jit', value: 'off', file: '/own.conf', line: 1 }], 1024 * MB)
  for (const { name, why } of settings) expect(text).toContain(`# ${why}\n${name} = `)
  expect(text).toContain('# jit: as it is in /own.conf')
})

import { posix } from 'node:path'

import * as z from 'zod'

import type { Server } from './server.ts'
import { sql } from './sql.ts'

const kB = 1024
const MB = 1024 * kB
const GB = 1024 * MB

const loopback = ['', 'localhost', '127.0.0.1', '::1']

/** A setting that we write, with its reason. */
export interface Setting {
  name: string
  /** Sizes in whole MB, as `256MB`. */
  value: string
  why: string
  /** What else is as good, where a cluster needs this setting; undefined: a line by hand goes first. */
  fits?: (value: string) => boolean
}

/** A line of a configuration file that somebody else wrote. */
export interface ForeignLine {
  name: string
  value: string
  file: string
  line: number
}

/** A standby does not start with less of one of these than its primary has (PostgreSQL's "Administrator's Overview" of hot standby). */
const notLess = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
]

/**
 * What a server of ours is set to.
 * @param memory of the machine, in bytes
 * @param primary what its primary runs with, for a standby
 */
export function wantedSettings(port: number, memory: number, primary: Current[] = []): Setting[] {
  const settings = ownSettings(port, memory)
  for (const { name, setting, usual } of primary) {
    if (!notLess.includes(name)) continue
    const own = settings.find((one) => one.name === name)
    if (own) own.value = setting
    else if (setting !== usual) {
      const why = 'As on the primary: a standby with less of it does not start.'
      settings.push({ name, value: setting, why })
    }
  }
  return settings
}

function ownSettings(port: number, memory: number): Setting[] {
  const share = (part: number, least: number, most: number): string =>
    `${Math.floor(Math.min(Math.max(memory / part, least), most) / MB)}MB`
  return [
    {
      name: 'listen_addresses',
      value: '*',
      why: 'pg_hba.conf says who may come in. A list of addresses would leave out one that comes up after the server.',
      fits: (value) => value.split(',').some((one) => !loopback.includes(one.trim())),
    },
    {
      name: 'port',
      value: String(port),
      why: 'As in the inventory.',
      fits: (value) => value === String(port),
    },
    {
      name: 'password_encryption',
      value: 'scram-sha-256',
      why: 'The access rules ask for it: a password that is stored as md5 would let nobody in.',
      fits: (value) => value === 'scram-sha-256',
    },
    {
      name: 'wal_level',
      value: 'replica',
      why: 'A standby can follow, and a base backup can be taken, without a restart at that moment.',
      fits: (value) => ['replica', 'logical'].includes(value),
    },
    {
      name: 'wal_log_hints',
      value: 'on',
      why: 'Lets pg_rewind make a standby of an old primary, instead of copying everything anew.',
      fits: (value) => value === 'on',
    },
    {
      name: 'max_connections',
      value: '100',
      why: 'The same on all machines of a cluster: a standby with fewer than its primary does not start. More clients are for a pooler.',
    },
    {
      name: 'shared_buffers',
      value: share(4, 128 * MB, 8 * GB),
      why: 'A quarter of the memory; the rest caches files, of PostgreSQL too. More than 8 GB rarely helps.',
    },
    {
      name: 'effective_cache_size',
      value: share(2, 256 * MB, Number.POSITIVE_INFINITY),
      why: 'Half of the memory: what the planner may take for cached. Reserves nothing.',
    },
    {
      name: 'maintenance_work_mem',
      value: share(16, 64 * MB, GB),
      why: 'A sixteenth of the memory: VACUUM and CREATE INDEX go over the table less often. Up to four run at a time.',
    },
    {
      name: 'work_mem',
      value: share(400, 4 * MB, 64 * MB),
      why: 'A quarter of the memory, over 100 connections: each sort or hash may take it, and then goes to disk.',
    },
  ]
}

/** In steps of 256 MB: the kernel's own share differs a little from boot to boot, and our file must not. */
export function roundedMemory(bytes: number): number {
  const step = 256 * MB
  return Math.max(Math.ceil(bytes / step) * step, step)
}

/** The whole file. `left` are the settings that lines by hand already have. */
export function confText(settings: Setting[], left: ForeignLine[], memory: number): string {
  const lines = [
    '# Written by hausmeister from the inventory; changes in here are lost.',
    '# Settings of your own belong into another file in this folder.',
    `# Sizes are for a machine with ${memory / MB} MB of memory.`,
  ]
  for (const { name, value, why } of settings) lines.push('', `# ${why}`, `${name} = '${value}'`)
  if (left.length > 0) lines.push('')
  for (const { name, file } of left) lines.push(`# ${name}: as it is in ${file}`)
  return `${lines.join('\n')}\n`
}

const Line = z.object({ name: z.string(), value: z.string(), file: z.string(), line: z.number() })

/** Lines of all configuration files, as they are on disk, in the order in which they are read. */
export function readFileSettings(server: Server): Promise<ForeignLine[]> {
  return server.select(
    Line,
    sql`select name, coalesce(setting, '') as value, sourcefile as file, sourceline as line
      from pg_file_settings where name is not null order by seqno`,
  )
}

/** What initdb writes into postgresql.conf: nobody's decision. */
const ofInitdb: Record<string, string[]> = { max_connections: ['100'], shared_buffers: ['128MB'] }

/**
 * Which settings we write, which lines by hand go first, and which of those are against what is needed.
 * @param ours path of our own file
 */
export function sortSettings(
  wanted: Setting[],
  lines: ForeignLine[],
  ours: string,
): { write: Setting[]; left: ForeignLine[]; against: ForeignLine[] } {
  const write: Setting[] = []
  const left: ForeignLine[] = []
  const against: ForeignLine[] = []
  for (const setting of wanted) {
    const { name, fits } = setting
    const line = lines.findLast(
      (one) => one.name.toLowerCase() === name && one.file !== ours && !ofInitdb[name]?.includes(one.value),
    )
    if (line && (!fits || fits(normal(line.value)))) left.push(line)
    else write.push(setting)
    if (line && fits && !fits(normal(line.value)) && isReadAfter(line.file, ours)) against.push(line)
  }
  return { write, left, against }
}

/** ALTER SYSTEM's file is the last one; a folder is read in the order of its names. */
function isReadAfter(file: string, ours: string): boolean {
  return (
    posix.basename(file) === 'postgresql.auto.conf' ||
    (posix.dirname(file) === posix.dirname(ours) && file > ours)
  )
}

function normal(value: string): string {
  return ['true', 'yes', '1', 'on'].includes(value.toLowerCase()) ? 'on' : value
}

const Current = z.object({
  name: z.string(),
  setting: z.string(),
  unit: z.string().nullable(),
  /** What PostgreSQL has without any file. */
  usual: z.string().nullable(),
  restart: z.boolean(),
})
export type Current = z.infer<typeof Current>

/** What the server runs with. */
export function readCurrent(server: Server): Promise<Current[]> {
  return server.select(
    Current,
    sql`select name, setting, unit, boot_val as usual, context = 'postmaster' as restart from pg_settings`,
  )
}

/** Those that the server does not run with yet. */
export function differing(
  settings: Setting[],
  current: Current[],
): { reload: Setting[]; restart: Setting[] } {
  const found = settings.map((setting) => ({
    setting,
    now: current.find(({ name }) => name === setting.name),
  }))
  const different = found.filter(({ setting, now }) => !now || !isSame(setting, now))
  return {
    reload: different.flatMap(({ setting, now }) => (now?.restart ? [] : [setting])),
    restart: different.flatMap(({ setting, now }) => (now?.restart ? [setting] : [])),
  }
}

function isSame({ value }: Setting, { setting, unit }: Current): boolean {
  const size = /^(\d+)MB$/.exec(value)?.[1]
  if (size === undefined) return setting === value
  const bytes = { '8kB': 8 * kB, kB, MB }[unit ?? ''] ?? 1
  return Number(setting) * bytes === Number(size) * MB
}

import * as z from 'zod'

import type { Server } from '../server.ts'
import { literal, sql } from '../sql.ts'
import { Lsn } from './lsn.ts'

/** The process of a standby that fetches WAL; there is none while it cannot reach its primary. */
const Receiver = z.object({
  status: z.string(),
  slot: z.string().nullable(),
  host: z.string().nullable(),
  timeline: z.number(),
  flushed: Lsn.nullable(),
  /** How far the primary had come when it was last heard. */
  told: Lsn.nullable(),
  /** Since its last word. Seconds. */
  silentFor: z.number().nullable(),
})
export type Receiver = z.infer<typeof Receiver>

export const Slot = z.object({
  name: z.string(),
  kind: z.string(),
  active: z.boolean(),
  /** `lost`: the primary has thrown away WAL that it should have kept. */
  wal: z.string().nullable(),
  /** Who uses it. */
  address: z.string().nullable(),
  application: z.string().nullable(),
})
export type Slot = z.infer<typeof Slot>

const Sender = z.object({
  application: z.string(),
  address: z.string().nullable(),
  state: z.string().nullable(),
  replayed: Lsn.nullable(),
})

/** By what a database sorts; `c` is libc, `i` is ICU. */
const Sorting = z.object({
  database: z.string(),
  provider: z.string(),
  collate: z.string(),
  ctype: z.string(),
})
export type Sorting = z.infer<typeof Sorting>

/** What a server says of its part in replication. */
const Standing = z.object({
  standby: z.boolean(),
  version: z.number(),
  system: z.string(),
  timeline: z.number(),
  /** Behind `timeline` until the first checkpoint after a promotion. */
  checkpointTimeline: z.number(),
  /** Written on a primary, replayed on a standby. */
  lsn: Lsn,
  /** Received and not yet replayed WAL counts too; null on a primary and where nothing was received. */
  received: Lsn.nullable(),
  receiver: Receiver.nullable(),
  slots: z.array(Slot),
  senders: z.array(Sender),
  /** The oldest WAL file that is still there. */
  oldestWal: z.string().nullable(),
  segmentSize: z.number(),
  walSenders: z.number(),
  maxSlots: z.number(),
  walLevel: z.string(),
  dataDirectory: z.string(),
  conninfo: z.string(),
  slotName: z.string(),
  canRewind: z.boolean(),
  databases: z.array(z.string()),
  tablespaces: z.array(z.object({ name: z.string(), folder: z.string() })),
  sorting: z.array(Sorting),
  bytes: z.number(),
})
export type Standing = z.infer<typeof Standing>

export async function readStanding(server: Server): Promise<Standing> {
  const [standing] = await server.select(
    Standing,
    sql`select pg_is_in_recovery() as standby,
        current_setting('server_version_num')::int / 10000 as version,
        (select system_identifier::text from pg_control_system()) as system,
        case when pg_is_in_recovery()
          then greatest((select timeline_id from pg_control_checkpoint()), (select received_tli from pg_stat_wal_receiver),
            (select min_recovery_end_timeline from pg_control_recovery()), (select max(('x' || left(name, 8))::bit(32)::int)
            from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'))
          else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end as timeline,
        (select timeline_id from pg_control_checkpoint()) as "checkpointTimeline",
        case when pg_is_in_recovery() then coalesce(pg_last_wal_replay_lsn(), '0/0') else pg_current_wal_lsn() end as lsn,
        case when pg_is_in_recovery() then pg_last_wal_receive_lsn() end as received,
        (select to_json(r) from (select status, slot_name as slot, sender_host as host, received_tli as timeline,
          flushed_lsn as flushed, latest_end_lsn as told, extract(epoch from clock_timestamp() - last_msg_receipt_time) as "silentFor"
          from pg_stat_wal_receiver where pid is not null) r) as receiver,
        (select coalesce(json_agg(s), '[]') from (select slot_name as name, slot_type as kind, active, wal_status as wal,
          host(client_addr) as address, application_name as application
          from pg_replication_slots left join pg_stat_replication on pid = active_pid) s) as slots,
        (select coalesce(json_agg(s), '[]') from (select application_name as application, host(client_addr) as address,
          state, replay_lsn as replayed from pg_stat_replication) s) as senders,
        (select '00000000' || min(substr(name, 9)) from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$') as "oldestWal",
        (select setting::int from pg_settings where name = 'wal_segment_size') as "segmentSize",
        current_setting('max_wal_senders')::int as "walSenders",
        current_setting('max_replication_slots')::int as "maxSlots",
        current_setting('wal_level') as "walLevel",
        current_setting('data_directory') as "dataDirectory",
        current_setting('primary_conninfo') as conninfo,
        current_setting('primary_slot_name') as "slotName",
        'on' in (current_setting('wal_log_hints'), current_setting('data_checksums')) as "canRewind",
        (select json_agg(datname) from pg_database where not datistemplate) as databases,
        (select coalesce(json_agg(s), '[]') from (select spcname as name, pg_tablespace_location(oid) as folder
          from pg_tablespace where spcname not in ('pg_default', 'pg_global') order by 1) s) as tablespaces,
        (select json_agg(s) from (select datname as database, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') as provider,
          datcollate as collate, datctype as ctype from pg_database d where datallowconn order by 1) s) as sorting,
        (select coalesce(sum(pg_database_size(oid)), 0)::bigint from pg_database) as bytes`,
  )
  if (!standing) throw new Error('a select without FROM gives one row')
  return standing
}

/** The history file of the primary's timeline; the first timeline has none. */
export async function readHistory(server: Server, timeline: number): Promise<string> {
  const file = `pg_wal/${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`
  const [row] = await server.select(
    z.object({ text: z.string().nullable() }),
    // The form without a length came with PostgreSQL 16.
    sql`select pg_read_file(${literal(file)}, 0, 1000000, true) as text`,
  )
  return row?.text ?? ''
}

/** How far a standby has got; a primary gives null. */
export async function readReplayed(server: Server): Promise<string | null> {
  const [row] = await server.select(
    z.object({ lsn: Lsn.nullable() }),
    sql`select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end as lsn`,
  )
  return row?.lsn ?? null
}

/**
 * Writes a record into the WAL, which only a primary can, and says where it ends. It changes no data and no
 * table; so it is a question, and a proof may ask it.
 */
export async function writeRecord(server: Server): Promise<string> {
  const [row] = await server.select(
    z.object({ lsn: Lsn }),
    sql`select pg_logical_emit_message(false, 'hausmeister', 'proof')::text as lsn`,
  )
  if (!row) throw new Error('a select without FROM gives one row')
  return row.lsn
}

/** A slot's name may have small letters, digits and underscores only. */
export function slotName(host: string): string {
  return host.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_')
}

/** From now on the server keeps the WAL that a standby of this name needs; not before its first use, but at once. */
export async function createSlot(server: Server, name: string): Promise<void> {
  await server.change([sql`select pg_create_physical_replication_slot(${literal(name)}, true)`])
}

export async function dropSlot(server: Server, name: string): Promise<void> {
  await server.change([sql`select pg_drop_replication_slot(${literal(name)})`])
}

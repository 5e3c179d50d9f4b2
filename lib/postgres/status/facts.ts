import * as z from 'zod'

import { DatabaseRow, databasesQuery } from '../catalog.ts'
import { PostgresError, type Server } from '../server.ts'
import { sql } from '../sql.ts'

/** Seconds. */
const Age = z.number().nullable()
/** Positions in the write-ahead log, and distances between them, in bytes. */
const Bytes = z.number().nullable()

/** What a server says of itself, whatever its role. null: it does not know, or our role may not see it. */
const ServerFacts = z.object({
  version: z.string(),
  role: z.enum(['primary', 'standby']),
  uptime: z.number(),
  /** How far its log is written; on a standby: replayed. */
  position: Bytes,
  maxConnections: z.number(),
  /** Age of a database in transactions at which autovacuum scans it whole. */
  freezeMaxAge: z.number(),
  databases: z.array(DatabaseRow),
  /** Oldest transaction that a database remembers, in transactions back from now. */
  ages: z.array(z.object({ database: z.string(), age: z.number() })),
  /** Client sessions; ours among them. */
  connections: z.array(z.object({ application: z.string(), role: z.string(), count: z.number() })),
  /** Those that receive its log now. */
  standbys: z.array(
    z.object({
      application: z.string(),
      address: z.string().nullable(),
      state: z.string().nullable(),
      sync: z.string().nullable(),
      /** What it has not yet replayed. */
      bytesBehind: Bytes,
      /** How long the last commit took to be replayed; null when nothing was written lately. */
      secondsBehind: Age,
      /** Since its last sign of life. */
      silent: Age,
    }),
  ),
  slots: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      active: z.boolean(),
      /** Log that is kept for it. */
      retained: Bytes,
      /** `lost`: what it needs is gone. */
      wal: z.string().nullable(),
    }),
  ),
  /** On a standby; null while nothing is connected to the primary. */
  receiver: z
    .object({
      state: z.string().nullable(),
      from: z.string().nullable(),
      slot: z.string().nullable(),
      silent: Age,
    })
    .nullable(),
  /** On a standby: how far the log has arrived. null: none has since it was started. */
  received: Bytes,
  /** On a standby: since the last commit that it has replayed. */
  lastReplay: Age,
  /** Open for more than five minutes, or idle in a transaction; the oldest first. */
  transactions: z.array(
    z.object({
      pid: z.number(),
      application: z.string(),
      role: z.string(),
      database: z.string(),
      state: z.string().nullable(),
      age: z.number(),
    }),
  ),
})
export type ServerFacts = z.infer<typeof ServerFacts>

const position = sql`(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)`
const application = sql`coalesce(nullif(application_name, ''), 'no name')`

/** One question, and so one answer of one moment. All seconds are whole. */
const everything = sql`select
    split_part(current_setting('server_version'), ' ', 1) as version,
    case when pg_is_in_recovery() then 'standby' else 'primary' end as role,
    extract(epoch from now() - pg_postmaster_start_time())::bigint as uptime,
    pg_wal_lsn_diff(${position}, '0/0') as position,
    current_setting('max_connections')::int as "maxConnections",
    current_setting('autovacuum_freeze_max_age')::bigint as "freezeMaxAge",
    (select coalesce(json_agg(q), '[]') from (${databasesQuery('')}) q) as databases,
    (select coalesce(json_agg(q), '[]') from (
      select datname as database, age(datfrozenxid)::bigint as age from pg_database order by 2 desc) q) as ages,
    (select coalesce(json_agg(q), '[]') from (
      select ${application} as application, coalesce(usename, '') as role, count(*)::int as count
      from pg_stat_activity where backend_type = 'client backend' group by 1, 2 order by 3 desc, 1, 2) q) as connections,
    (select coalesce(json_agg(q), '[]') from (
      select ${application} as application, host(client_addr) as address, state, sync_state as sync,
        pg_wal_lsn_diff(${position}, replay_lsn) as "bytesBehind",
        round(extract(epoch from replay_lag)::numeric, 3) as "secondsBehind",
        extract(epoch from clock_timestamp() - reply_time)::bigint as silent
      from pg_stat_replication order by 1, 2) q) as standbys,
    (select coalesce(json_agg(q), '[]') from (
      select slot_name as name, slot_type as kind, active,
        pg_wal_lsn_diff(${position}, restart_lsn) as retained, wal_status as wal
      from pg_replication_slots order by 1) q) as slots,
    (select row_to_json(q) from (
      select status as state, sender_host || ':' || sender_port as "from", slot_name as slot,
        extract(epoch from clock_timestamp() - last_msg_receipt_time)::bigint as silent
      from pg_stat_wal_receiver) q) as receiver,
    case when pg_is_in_recovery() then pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0') end as received,
    case when pg_is_in_recovery() then
      extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::bigint
    end as "lastReplay",
    (select coalesce(json_agg(q), '[]') from (
      select pid, ${application} as application, coalesce(usename, '') as role,
        coalesce(datname, '') as database, state,
        extract(epoch from clock_timestamp() - xact_start)::bigint as age
      from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid()
        and (xact_start < clock_timestamp() - interval '5 minutes' or state like 'idle in transaction%')
      order by xact_start limit 20) q) as transactions`

/** How often a size may be asked for of a database that is just being dropped. */
const attempts = 3

/** @throws PostgresError */
export async function readServerFacts(server: Server): Promise<ServerFacts> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const [facts] = await server.select(ServerFacts, everything)
      if (!facts) throw new PostgresError(server.name, 'gave no answer')
      return facts
    } catch (error) {
      const dropped = error instanceof PostgresError && /database .* does not exist/.test(error.message)
      if (!dropped || attempt === attempts) throw error
    }
  }
}

import type { Cluster } from '../../examples/demo/cluster.ts'

/** One database as the server has it, with everything in it. */
export interface DatabaseState {
  oid: string
  owner: string
  open: boolean
  limit: number
  comment: string | null
  grants: string | null
  settings: string[] | null
  /** Table to its rows, as text; undefined when it accepts no connections, and for a shadow database. */
  rows: Record<string, string[]> | undefined
}

/** All databases whose names begin like this, by name. */
export async function readState(cluster: Cluster, prefix: string): Promise<Record<string, DatabaseState>> {
  const admin = await cluster.connect()
  try {
    const { rows } = await admin.query<DatabaseState & { name: string }>(
      `select datname as name, d.oid::text, pg_get_userbyid(datdba) as owner, datallowconn as open,
        datconnlimit as limit, shobj_description(d.oid, 'pg_database') as comment, datacl::text as grants,
        (select array_agg(coalesce(r.rolname, '') || ' ' || entry order by 1)
          from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole, unnest(s.setconfig) as entry
          where s.setdatabase = d.oid) as settings
      from pg_database d where starts_with(datname, $1) order by 1`,
      [prefix],
    )
    const state: Record<string, DatabaseState> = {}
    for (const { name, ...facts } of rows) {
      // A shadow database has nothing of its own, and may just be dropped.
      const hasRows = facts.open && !name.endsWith('_shadow')
      state[name] = { ...facts, rows: hasRows ? await readRows(cluster, name) : undefined }
    }
    return state
  } finally {
    await admin.end()
  }
}

/** Every row of every table. */
export async function readRows(cluster: Cluster, database: string): Promise<Record<string, string[]>> {
  const client = await cluster.connect(database)
  try {
    const { rows } = await client.query<{ name: string; content: string }>(
      `select table_name as name, query_to_xml(format('select * from %I order by 1', table_name),
        true, true, '')::text as content
      from information_schema.tables where table_schema = 'public' order by 1`,
    )
    return Object.fromEntries(rows.map(({ name, content }) => [name, content.split('</row>')]))
  } finally {
    await client.end()
  }
}

/** Resolves when nobody holds the lock of a database any more. @throws after a minute */
export async function waitUnlocked(cluster: Cluster, database: string): Promise<void> {
  const admin = await cluster.connect()
  const deadline = Date.now() + 60_000
  try {
    for (;;) {
      const { rows } = await admin.query<{ free: boolean }>(
        `select pg_try_advisory_lock(hashtextextended($1, 0)) as free`,
        [`hausmeister/pg/${database}`],
      )
      if (rows[0]?.free) return
      if (Date.now() > deadline) throw new Error(`the lock of ${database} is still held`)
    }
  } finally {
    await admin.end()
  }
}

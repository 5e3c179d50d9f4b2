import * as z from 'zod'

import type { Server } from './server.ts'
import { identifier, join, literal, sql, type Sql } from './sql.ts'

const Setting = z.object({ role: z.string().nullable(), setting: z.string() })
const Grant = z.object({ grantee: z.string().nullable(), privilege: z.string(), grantable: z.boolean() })

/** What belongs to a database but stands outside of it, and would be lost when it is created again. */
export const DatabaseSettings = z.object({
  settings: z.array(Setting),
  /** null: the default privileges. */
  grants: z.array(Grant).nullable(),
})
export type DatabaseSettings = z.infer<typeof DatabaseSettings>

export const noSettings: DatabaseSettings = { settings: [], grants: null }

export async function readSettings(server: Server, oid: string): Promise<DatabaseSettings> {
  const id = sql`${literal(oid)}::oid`
  const [settings, privileges] = await Promise.all([
    server.select(
      Setting,
      sql`select r.rolname as role, unnest(s.setconfig) as setting
        from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole where s.setdatabase = ${id}`,
    ),
    server.select(
      z.object({ grants: z.array(Grant).nullable() }),
      sql`select (select case when d.datacl is null then null else (
          select coalesce(json_agg(json_build_object('grantee', r.rolname, 'privilege', a.privilege_type,
            'grantable', a.is_grantable)), '[]')
          from aclexplode(d.datacl) a left join pg_roles r on r.oid = a.grantee) end) as grants
        from pg_database d where d.oid = ${id}`,
    ),
  ])
  return { settings, grants: privileges[0]?.grants ?? null }
}

/** The statements that give them to another database. */
export function applySettings(
  database: string,
  owner: string,
  { settings, grants }: DatabaseSettings,
): Sql[] {
  const name = identifier(database)
  const statements = settings.map(({ role, setting }) => {
    const [key, value] = cut(setting)
    const target = role === null ? sql`database ${name}` : sql`role ${identifier(role)} in database ${name}`
    return sql`alter ${target} set ${parameter(key)} to ${settingValue(key, value)}`
  })
  if (grants) {
    statements.push(sql`revoke all on database ${name} from public, ${identifier(owner)}`)
    for (const { grantee, privilege, grantable } of grants) {
      // Keywords of PostgreSQL's own, not names: anything else must not get into the statement.
      const known = privilegeWords[z.enum(['CREATE', 'CONNECT', 'TEMPORARY']).parse(privilege)]
      const to = grantee === null ? sql`public` : identifier(grantee)
      statements.push(
        sql`grant ${known} on database ${name} to ${to}${grantable ? sql` with grant option` : sql``}`,
      )
    }
  }
  return statements
}

const privilegeWords = { CREATE: sql`create`, CONNECT: sql`connect`, TEMPORARY: sql`temporary` }

/** Settings whose stored value is a list of quoted names (GUC_LIST_QUOTE in PostgreSQL's guc_tables.c). */
const listSettings = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
])

function settingValue(key: string, value: string): Sql {
  if (!listSettings.has(key.toLowerCase())) return literal(value)
  const names = value.match(/"(?:[^"]|"")*"|[^,\s][^,]*/g) ?? []
  const bare = names.map((name) =>
    name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.trim(),
  )
  return bare.length === 0
    ? sql`''`
    : join(
        bare.map((name) => literal(name)),
        ', ',
      )
}

/** A parameter's name may have two parts, each a name of its own: `app.tenant`. */
function parameter(key: string): Sql {
  return join(
    key.split('.').map((part) => identifier(part)),
    '.',
  )
}

function cut(setting: string): [string, string] {
  const at = setting.indexOf('=')
  return [setting.slice(0, at), setting.slice(at + 1)]
}

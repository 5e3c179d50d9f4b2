import * as z from 'zod'

import type { Server } from '../server.ts'
import { sql } from '../sql.ts'

/** The first number that PostgreSQL gives to what is not its own (FirstNormalObjectId). */
const firstOfUsers = 16_384

/**
 * The roles that a dump of a database gives something to, or speaks for: whoever restores it with its owners has to be
 * able to act as each of them. What an extension brings along is not in a dump, and what is part of something else, as
 * the array of a type, has no owner of its own.
 */
export async function readOwners(server: Pick<Server, 'select'>, database: string): Promise<string[]> {
  const rows = await server.select(
    z.object({ name: z.string() }),
    sql`with owned (catalog, id, owner) as (
        select 'pg_namespace'::regclass, oid, nspowner from pg_namespace
        union all select 'pg_class'::regclass, oid, relowner from pg_class where relkind not in ('i', 'I', 't')
        union all select 'pg_proc'::regclass, oid, proowner from pg_proc
        union all select 'pg_type'::regclass, oid, typowner from pg_type
        union all select 'pg_largeobject'::regclass, oid, lomowner from pg_largeobject_metadata
        union all select 'pg_publication'::regclass, oid, pubowner from pg_publication
        union all select 'pg_default_acl'::regclass, oid, defaclrole from pg_default_acl
      )
      select distinct r.rolname as name from owned o join pg_roles r on r.oid = o.owner
      where o.id >= ${firstOfUsers} and not exists (select from pg_depend d
          where d.classid = o.catalog and d.objid = o.id and d.deptype in ('e', 'i'))
        and not exists (select from pg_namespace n where o.catalog = 'pg_namespace'::regclass
          and n.oid = o.id and n.nspname ~ '^pg_')
        and not exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where o.catalog = 'pg_class'::regclass and c.oid = o.id and n.nspname ~ '^pg_')
      order by 1`,
    database,
  )
  return rows.map(({ name }) => name)
}

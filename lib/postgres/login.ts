import type { Duplex } from 'node:stream'

import { connectDriver, databasePath } from './driver-server.ts'

/** What a client saw right after it had logged in. */
export interface Login {
  user: string
  tables: number
}

/**
 * Logs in over a TCP connection as a client does, and counts the tables it can see.
 * @param stream comes from the machine whose access is to be proven
 * @throws PostgresError with the server's own words
 */
export async function logIn(
  server: string,
  stream: Duplex,
  { user, password, database }: { user: string; password: string; database: string },
): Promise<Login> {
  const url = new URL('postgres://login')
  url.username = encodeURIComponent(user)
  url.password = encodeURIComponent(password)
  url.pathname = databasePath(database)
  const client = await connectDriver(server, url, stream, 'hausmeister')
  try {
    const result = await client.query<Login>(
      `select current_user::text as user, (select count(*)::int from information_schema.tables
        where table_schema not in ('pg_catalog', 'information_schema')) as tables`,
    )
    return result.rows[0] ?? { user: '', tables: 0 }
  } finally {
    await client.end()
  }
}

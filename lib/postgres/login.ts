import type { Duplex } from 'node:stream'

import type { Client } from 'pg'

import { connectDriver, databasePath } from './driver-server.ts'

/** What a client saw right after it had logged in. */
export interface Login {
  user: string
  tables: number
}

/** Who comes, and where to. */
export interface Credentials {
  user: string
  password: string
  database: string
}

/**
 * Logs in over a TCP connection as a client does, and counts the tables it can see.
 * @param stream comes from the machine whose access is to be proven
 * @throws PostgresError with the server's own words
 */
export async function logIn(server: string, stream: Duplex, credentials: Credentials): Promise<Login> {
  return asClient(server, stream, credentials, async (client) => {
    const result = await client.query<Login>(
      `select current_user::text as user, (select count(*)::int from information_schema.tables
        where table_schema not in ('pg_catalog', 'information_schema')) as tables`,
    )
    return result.rows[0] ?? { user: '', tables: 0 }
  })
}

/** Logs in to a server itself, asks nothing, and leaves. A pooler lets in whom its server would refuse. */
export async function knock(server: string, stream: Duplex, credentials: Credentials): Promise<void> {
  await asClient(server, stream, credentials, async () => {})
}

async function asClient<T>(
  server: string,
  stream: Duplex,
  { user, password, database }: Credentials,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const url = new URL('postgres://login')
  url.username = encodeURIComponent(user)
  url.password = encodeURIComponent(password)
  url.pathname = databasePath(database)
  const client = await connectDriver(server, url, stream, 'hausmeister')
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

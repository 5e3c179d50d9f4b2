import type { Reaching } from '../postgres/cluster.ts'
import { type Login, logIn } from '../postgres/login.ts'
import type { Pooler } from './pooler.ts'
import type { Client } from './target.ts'

/** The machine that a client's login is tried from. A pooler in a container is reached from its own only. */
export function clientHost(pooler: Pooler, { host }: Client): string {
  return pooler.entry.runtime === 'systemd' ? (host ?? pooler.hostName) : pooler.hostName
}

/**
 * Logs in as an app does: through the pooler, from the app's machine.
 * @param password default: the role's in the inventory
 * @throws PostgresError with the words of pgbouncer or the server
 */
export async function logInThrough(
  { estate, hosts }: Reaching,
  pooler: Pooler,
  cluster: string,
  client: Client,
  password?: string,
): Promise<Login> {
  const from = clientHost(pooler, client)
  const { address } =
    from === pooler.hostName
      ? await pooler.listens()
      : { address: estate.addressBetween(from, pooler.hostName) }
  const secret = estate.cluster(cluster).roles[client.role]?.password
  const stream = await (await hosts.get(from)).dial(address, pooler.entry.port)
  return logIn(pooler.name, stream, {
    user: client.role,
    password: password ?? (secret ? estate.secret(secret) : ''),
    database: client.database,
  })
}

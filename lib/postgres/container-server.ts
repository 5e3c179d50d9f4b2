import * as z from 'zod'

import { type Container, findContainer } from '../container/container.ts'
import type { Hosts } from '../host/hosts.ts'
import type { ContainerEntry } from '../inventory/inventory.ts'
import { PsqlServer } from './psql-server.ts'
import type { Server } from './server.ts'
import { sql } from './sql.ts'

/** A PostgreSQL in a container, and the container. */
export interface Contained {
  server: PsqlServer
  container: Container
}

/**
 * psql inside of a container of the official image, or one like it: the superuser is called what POSTGRES_USER said
 * when it was made, and the socket in it is open to all.
 *
 * @throws TaskError when it does not run
 */
export async function containerServer(hosts: Hosts, entry: ContainerEntry): Promise<Contained> {
  const container = await findContainer(hosts, entry)
  const { runtime, name, environment, title, host } = container
  const server = new PsqlServer(host, {
    name: title,
    inside: [runtime, 'exec', '-i', name],
    flags: ['-U', environment['POSTGRES_USER'] || 'postgres'],
  })
  return { server, container }
}

/** On which port it listens inside of its container. */
export async function portInside(server: Server): Promise<number> {
  const [row] = await server.select(
    z.object({ port: z.number() }),
    sql`select current_setting('port')::int as port`,
  )
  return row?.port ?? 5432
}

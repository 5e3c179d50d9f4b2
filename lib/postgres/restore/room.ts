import * as z from 'zod'

import { TaskError } from '../../task/errors.ts'
import { size } from '../../task/size.ts'
import type { Way } from '../dump/way.ts'
import type { Server } from '../server.ts'
import { sql } from '../sql.ts'

const Disk = z.object({ folder: z.string(), wal: z.number() })

/**
 * Room for a restored copy, and for the WAL that restoring it writes: a full disk stops the whole server, with all
 * the databases that others use.
 *
 * @param way to where the server itself runs
 * @param bytes that the database had where it was dumped
 * @returns free bytes
 * @throws TaskError
 */
export async function checkRoom(
  server: Pick<Server, 'name' | 'select'>,
  { host, inside }: Pick<Way, 'host' | 'inside'>,
  bytes: number,
): Promise<number> {
  const [disk] = await server.select(
    Disk,
    sql`select current_setting('data_directory') as folder,
      pg_size_bytes(current_setting('max_wal_size')) as wal`,
  )
  if (!disk) throw new Error('a select without FROM gives one row')
  // As POSIX has it: in a container it may be busybox's.
  const { stdout } = await host.read`cd /; ${[...inside, 'env']} LC_ALL=C df -P -k ${disk.folder}`
  const available = /\s(\d+)\s+\d+%\s/.exec(stdout)?.[1]
  if (available === undefined) throw new Error(`df says nothing of ${disk.folder}: ${stdout}`)
  const free = Number(available) * 1024
  const needed = bytes + disk.wal
  if (free >= needed) return free
  throw new TaskError(
    `${disk.folder} on ${server.name} has ${size(free)} free, and the restore needs ${size(needed)}: ` +
      `${size(bytes)} for the database, ${size(disk.wal)} for its WAL (max_wal_size)`,
    { next: `make room on ${server.name}: df -h ${disk.folder}` },
  )
}

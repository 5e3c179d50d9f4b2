import * as z from 'zod'

import { TaskError } from '../task/errors.ts'
import { size } from '../task/size.ts'
import type { MongoServer } from './server.ts'

const Disk = z.object({ fsUsedSize: z.number(), fsTotalSize: z.number() })

/**
 * @param bytes of the documents, uncompressed: what is stored is smaller, as a rule
 * @throws TaskError when the disk of its data has not as much
 */
export async function checkRoom(server: MongoServer, bytes: number): Promise<void> {
  const [answer] = await server.ask([{ db: 'admin', command: { dbStats: 1 } }])
  const { fsUsedSize, fsTotalSize } = Disk.parse(answer)
  const free = fsTotalSize - fsUsedSize
  if (free >= bytes) return
  throw new TaskError(`${server.name} has ${size(free)} free for its data, and ${size(bytes)} are needed`, {
    next: `make room on that machine: df -h /var/lib/mongodb`,
  })
}

import * as z from 'zod'

import { TaskError } from '../task/errors.ts'
import type { MongoServer } from './server.ts'

export const Role = z.enum(['primary', 'secondary', 'standalone'])
export type Role = z.infer<typeof Role>

/** What a member says of itself. */
export interface Standing {
  server: MongoServer
  /** `7.0.14` */
  version: string
  /** Undefined for one that is neither now: an arbiter, or one that is starting or catching up. */
  role: Role | undefined
  /** As MongoDB calls it: `SECONDARY`, `RECOVERING`. */
  state: string
  /** Of its last write, in a replica set. */
  written: Date | undefined
}

const Hello = z.object({
  setName: z.string().optional(),
  isWritablePrimary: z.boolean().optional(),
  secondary: z.boolean().optional(),
})
const BuildInfo = z.object({ version: z.string() })
/** Times as relaxed Extended JSON has them. */
const Time = z.object({ $date: z.string() })
const Status = z.object({
  members: z.array(
    z.object({ self: z.boolean().optional(), stateStr: z.string(), optimeDate: Time.optional() }),
  ),
})

/**
 * @param replicaSet as the inventory calls it
 * @throws TaskError when it is in another one, or in none
 */
export async function readStanding(server: MongoServer, replicaSet: string | undefined): Promise<Standing> {
  const [first, second] = await server.ask([
    { db: 'admin', command: { hello: 1 } },
    { db: 'admin', command: { buildInfo: 1 } },
  ])
  const { setName, isWritablePrimary, secondary } = Hello.parse(first)
  const { version } = BuildInfo.parse(second)
  if (setName !== replicaSet) {
    const is = setName === undefined ? 'stands alone' : `is in the replica set ${setName}`
    const should = replicaSet === undefined ? 'it stands alone' : `it is in ${replicaSet}`
    throw new TaskError(`${server.name} ${is}, and the inventory says that ${should}`, {
      next: `correct "replicaSet" in the inventory, or find out why ${server.name} is not what it should be`,
    })
  }
  if (replicaSet === undefined) {
    return { server, version, role: 'standalone', state: 'STANDALONE', written: undefined }
  }
  const [third] = await server.ask([{ db: 'admin', command: { replSetGetStatus: 1 } }])
  const self = Status.parse(third).members.find((member) => member.self)
  return {
    server,
    version,
    role: isWritablePrimary ? 'primary' : secondary ? 'secondary' : undefined,
    state: self?.stateStr ?? 'unknown',
    written: self?.optimeDate && new Date(self.optimeDate.$date),
  }
}

import * as z from 'zod'

import { TaskError } from '../../task/errors.ts'
import { size } from '../../task/size.ts'
import { findPrimary, membersOf, type Reaching, reasonOf } from '../cluster.ts'
import { bytesBetween, Lsn } from '../replication/lsn.ts'
import type { Server } from '../server.ts'
import { sql } from '../sql.ts'

/** The server of a cluster that is dumped. */
export interface Source {
  server: Server
  role: 'primary' | 'standby'
  /** Major version. */
  version: number
  /** Bytes of WAL, of a standby whose primary could be asked. */
  behind: number | undefined
  /** Why it is not the one that was wanted, and who did not answer. */
  remarks: string[]
}

/** A standby that has not replayed more than this is dumped in the primary's place. Bytes: four files of WAL. */
export const mostBehind = 64 * 1024 * 1024

const Standing = z.object({ standby: z.boolean(), version: z.number(), lsn: Lsn.nullable() })

/**
 * @param wanted a standby that is too far behind is passed over for the primary
 * @throws TaskError when there is nobody to be dumped
 */
export async function findSource(
  reaching: Reaching,
  cluster: string,
  wanted: Source['role'],
): Promise<Source> {
  if (wanted === 'primary') {
    const { server, version, silent } = await findPrimary(reaching, cluster)
    return { server, role: 'primary', version, behind: undefined, remarks: silent.map(noAnswer) }
  }
  const answers = await Promise.all(
    membersOf(reaching, cluster).map(async (member) => {
      try {
        const server = await member.open()
        const [standing] = await server.select(
          Standing,
          sql`select pg_is_in_recovery() as standby, current_setting('server_version_num')::int / 10000 as version,
            case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as lsn`,
        )
        return standing ? { server, ...standing } : { error: new Error(`${member.name} gave no answer`) }
      } catch (error) {
        return { error }
      }
    }),
  )
  return chooseSource(answers, cluster)
}

type Answer = ({ server: Server } & z.infer<typeof Standing>) | { error: unknown }

/** Of those that answered. */
export function chooseSource(answers: readonly Answer[], cluster: string): Source {
  const servers = answers.flatMap((answer) => ('server' in answer ? [answer] : []))
  const failures = answers.flatMap((answer) => ('error' in answer ? [answer.error] : []))
  const [primary, second] = servers.filter(({ standby }) => !standby)
  if (primary && second) {
    throw new TaskError(`two primaries: ${primary.server.name} and ${second.server.name}`, {
      next: 'find out which one the app writes to, and stop the other one',
    })
  }
  const standbys = servers
    .filter(({ standby }) => standby)
    .map(({ server, version, lsn }) => ({
      server,
      version,
      behind: primary?.lsn && lsn ? Math.max(0, bytesBetween(lsn, primary.lsn)) : undefined,
    }))
    .toSorted((a, b) => (a.behind ?? Infinity) - (b.behind ?? Infinity))
  const remarks = failures.map((error) => noAnswer(reasonOf(error)))
  const [standby] = standbys
  if (standby && (!primary || (standby.behind !== undefined && standby.behind <= mostBehind))) {
    const unknown = primary
      ? []
      : [`how far ${standby.server.name} is behind is not known: no primary answered`]
    return { ...standby, role: 'standby', remarks: [...remarks, ...unknown] }
  }
  if (!primary) throw failures[0] ?? new TaskError(`nobody of ${cluster} answered`)
  const { server, version } = primary
  const why = standby
    ? `${standby.server.name} is ${standby.behind === undefined ? 'an unknown amount' : size(standby.behind)} of WAL behind, more than the ${size(mostBehind)} that are allowed`
    : `${cluster} has no standby that answers`
  return {
    server,
    role: 'primary',
    version,
    behind: undefined,
    remarks: [...remarks, `the primary is dumped: ${why}`],
  }
}

function noAnswer(why: string): string {
  return `no answer: ${why}`
}

/** `a standby, 0 bytes of WAL behind` */
export function describeSource({ role, behind }: Source): string {
  if (role === 'primary') return 'the primary'
  return behind === undefined ? 'a standby' : `a standby, ${size(behind)} of WAL behind`
}

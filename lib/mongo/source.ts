import { TaskError } from '../task/errors.ts'
import { askMembers, type Members, reasonOf, type Reaching, twoPrimaries } from './members.ts'
import type { MongoServer } from './server.ts'
import type { Role, Standing } from './standing.ts'

/** The member that is dumped. */
export interface Source {
  server: MongoServer
  role: Role
  /** Of the server: `7.0.14`. */
  version: string
  /** Seconds, of a secondary whose primary could be asked. */
  behind: number | undefined
  /** Why it is not the one that was wanted, and who did not answer. */
  remarks: string[]
}

/** A secondary that is further behind is not dumped in the primary's place. Seconds. */
export const mostBehind = 30

/** @throws TaskError when there is nobody to be dumped */
export async function findSource(
  reaching: Reaching,
  cluster: string,
  wanted: 'primary' | 'standby',
): Promise<Source> {
  return chooseSource(await askMembers(reaching, cluster), cluster, wanted)
}

/** Of those that answered. */
export function chooseSource(
  { standings, failures }: Members,
  cluster: string,
  wanted: 'primary' | 'standby',
): Source {
  const remarks = failures.map((error) => `no answer: ${reasonOf(error)}`)
  const [primary, second] = standings.filter(({ role }) => role === 'primary')
  if (second) throw twoPrimaries(standings)
  const alone = standings.find(({ role }) => role === 'standalone')
  if (alone) return sourceOf(alone, 'standalone', undefined, remarks)
  const secondaries = standings
    .filter(({ role }) => role === 'secondary')
    .map((standing) => ({ standing, behind: behindOf(standing, primary) }))
    .toSorted((a, b) => (a.behind ?? Infinity) - (b.behind ?? Infinity))
  const [closest] = secondaries
  if (primary && (wanted === 'primary' || !closest || !isClose(closest.behind))) {
    const why = wanted === 'primary' ? [] : [`the primary is dumped: ${whyNot(closest, cluster)}`]
    return sourceOf(primary, 'primary', undefined, [...remarks, ...why])
  }
  if (closest) {
    const { standing, behind } = closest
    const unknown = primary
      ? []
      : [`how far ${standing.server.name} is behind is not known: no primary answered`]
    return sourceOf(standing, 'secondary', behind, [...remarks, ...unknown])
  }
  const states = standings.map(({ server, state }) => `${server.name} is ${state}`)
  throw new TaskError(`no member of ${cluster} can be dumped: ${[...states, ...remarks].join('; ')}`, {
    next: 'bring a member back, or wait until one has caught up',
  })
}

function sourceOf(
  { server, version }: Standing,
  role: Role,
  behind: number | undefined,
  remarks: string[],
): Source {
  return { server, role, version, behind, remarks }
}

/** By the times of their last writes: whole seconds. */
function behindOf({ written }: Standing, primary: Standing | undefined): number | undefined {
  if (!written || !primary?.written) return undefined
  return Math.max(0, Math.ceil((primary.written.getTime() - written.getTime()) / 1000))
}

function isClose(behind: number | undefined): boolean {
  return behind !== undefined && behind <= mostBehind
}

function whyNot(
  closest: { standing: Standing; behind: number | undefined } | undefined,
  cluster: string,
): string {
  if (!closest) return `${cluster} has no secondary that answers`
  const { standing, behind } = closest
  const amount = behind === undefined ? 'an unknown time' : `${behind} s`
  return `${standing.server.name} is ${amount} behind, more than the ${mostBehind} s that are allowed`
}

/** `a secondary, 2 s behind` */
export function describeSource({ role, behind }: Source): string {
  if (role === 'primary') return 'the primary'
  if (role === 'standalone') return 'which stands alone'
  return behind === undefined ? 'a secondary' : `a secondary, ${behind} s behind`
}

import { errorBehind, HostError } from '../host/errors.ts'
import type { Hosts } from '../host/hosts.ts'
import type { Estate } from '../inventory/estate.ts'
import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import { MongoServer } from './server.ts'
import { readStanding, type Standing } from './standing.ts'
import { wayOf } from './way.ts'

/** What is needed to talk to the members of a replica set. */
export interface Reaching {
  estate: Estate
  hosts: Hosts
}

/** The members that answered, and why the others did not. */
export interface Members {
  standings: Standing[]
  failures: unknown[]
}

/** @throws what is wrong with a member, when none answers */
export async function askMembers({ estate, hosts }: Reaching, cluster: string): Promise<Members> {
  const { hosts: names, replicaSet } = estate.mongoCluster(cluster)
  const way = wayOf(estate, cluster)
  const answers = await Promise.all(
    names.map(async (name) => {
      try {
        return await readStanding(new MongoServer(await hosts.get(name), way), replicaSet)
      } catch (error) {
        return { error }
      }
    }),
  )
  const standings = answers.flatMap((answer) => ('error' in answer ? [] : [answer]))
  const failures = answers.flatMap((answer) => ('error' in answer ? [answer.error] : []))
  if (standings.length === 0) throw nobody(cluster, failures)
  return { standings, failures }
}

/** @throws TaskError when no member takes writes, or two do */
export async function findPrimary(
  reaching: Reaching,
  cluster: string,
): Promise<{ primary: Standing; silent: string[] }> {
  const { standings, failures } = await askMembers(reaching, cluster)
  const [primary, second] = standings.filter(({ role }) => role === 'primary' || role === 'standalone')
  if (second) throw twoPrimaries(standings)
  const silent = failures.map(reasonOf)
  if (primary) return { primary, silent }
  const are = standings.map(({ server, state }) => `${server.name} is ${state}`)
  throw new TaskError(`no member of ${cluster} takes writes: ${[...are, ...silent].join('; ')}`, {
    next: 'bring back so many members that more than half are there; nothing was changed',
  })
}

export function twoPrimaries(standings: readonly Standing[]): TaskError {
  const names = standings.flatMap(({ server, role }) => (role === 'primary' ? [server.name] : []))
  return new TaskError(`two primaries: ${names.join(' and ')}`, {
    next: 'one of them steps down when it sees the other; run it again',
  })
}

/** Unreachable only when that is what they all are. */
function nobody(cluster: string, failures: readonly unknown[]): unknown {
  const [first] = failures
  if (failures.length === 1) return first
  const isFar = failures.every((error) => errorBehind(error, HostError))
  const next = failures.flatMap((error) =>
    error instanceof TaskError && error.next !== undefined ? [error.next] : [],
  )
  return new TaskError(`no member of ${cluster} answers: ${failures.map(reasonOf).join('; ')}`, {
    next: next[0],
    code: isFar ? exitCode.unreachable : exitCode.failed,
    cause: first,
  })
}

/** Why something could not be asked, in a line. */
export function reasonOf(error: unknown): string {
  const known = errorBehind(error, HostError) ?? error
  return known instanceof Error ? known.message : String(known)
}

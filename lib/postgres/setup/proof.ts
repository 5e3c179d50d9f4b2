import { errorBehind, HostError } from '../../host/errors.ts'
import type { Hosts } from '../../host/hosts.ts'
import type { Estate } from '../../inventory/estate.ts'
import { fromProblems } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import { readHbaRules, ruleFor } from '../hba.ts'
import type { Instance } from '../instance.ts'
import { knock } from '../login.ts'
import { PostgresError } from '../server.ts'
import type { SetupTarget } from './target.ts'
import { loginTrials, type Place, type Trial } from './trials.ts'

export interface AccessProof {
  /** Logins that were tried and ended as they should. */
  allowed: string[]
  refused: string[]
  untried: string[]
}

/**
 * SQLSTATE invalid_authorization_specification: no line of pg_hba.conf lets it in; insufficient_privilege: it may
 * not connect to this database. A wrong password (28P01) is neither: the right one would get in.
 */
const refusals: unknown[] = ['28000', '42501']

/** Begins to connect to the machines that are to try logins, so that nobody waits for them when it is their turn. */
export function reachClients({ estate, hosts }: Reaching, { cluster }: SetupTarget): void {
  const { trials } = loginTrials(estate, cluster, cluster.hosts[0] ?? '')
  const names = trials.flatMap(({ from: [first] }) => first?.host ?? [])
  // One that does not answer is told of when it is needed.
  for (const name of new Set(names)) void canReach(hosts, name).catch(() => {})
  // Which takes as long as a connection.
  void import('pg')
}

interface Reaching {
  estate: Estate
  hosts: Hosts
}

/**
 * Proves the access rules from where they matter: each client that may come in logs in over TCP from a machine
 * of the estate, and one that may not is refused.
 *
 * @throws TaskError with every login that ended otherwise
 */
export async function proveAccess(
  { estate, hosts }: Reaching,
  { cluster }: SetupTarget,
  primary: Instance,
): Promise<AccessProof> {
  const { trials, untried } = loginTrials(estate, cluster, primary.name)
  const reached = new Map<string, Promise<boolean>>()
  const isReached = (host: string): Promise<boolean> => {
    const answer = reached.get(host) ?? canReach(hosts, host)
    reached.set(host, answer)
    return answer
  }
  const proof: AccessProof = { allowed: [], refused: [], untried }
  const problems: string[] = []
  await Promise.all(
    trials.map(async (trial) => {
      const place = await firstReached(trial.from, isReached)
      if (!place) {
        proof.untried.push(
          `${trial.role} to ${trial.database} from ${trial.from[0]?.host}: it does not answer`,
        )
        return
      }
      const what = `${trial.role} to ${trial.database} from ${place.host} (${place.address})`
      const error = await tryLogin(estate, hosts, cluster, trial, place)
      if (trial.allowed === (error === undefined)) {
        if (trial.allowed || isRefusal(error)) (trial.allowed ? proof.allowed : proof.refused).push(what)
        else problems.push(`${what} should be refused, and came as far as this: ${told(error)}`)
      } else if (trial.allowed) {
        problems.push(`${what} should get in: ${told(error)}`)
      } else {
        problems.push(`${what} should be refused and got in${await why(primary, trial, place)}`)
      }
    }),
  )
  if (problems.length === 0) return proof
  throw fromProblems(problems, {
    code: exitCode.failed,
    next: 'the access rules of the inventory or the lines by hand in pg_hba.conf are wrong; correct them and run this again',
  })
}

async function canReach(hosts: Hosts, name: string): Promise<boolean> {
  try {
    // No more is needed: a login through it starts nothing on that machine.
    await (await hosts.get(name)).connect()
    return true
  } catch (error) {
    if (errorBehind(error, HostError)?.failure === 'cancelled') throw error
    return false
  }
}

async function firstReached(
  places: Place[],
  isReached: (host: string) => Promise<boolean>,
): Promise<Place | undefined> {
  for (const place of places) if (await isReached(place.host)) return place
  return undefined
}

/** @returns why it was refused; undefined: it got in */
async function tryLogin(
  estate: Estate,
  hosts: Hosts,
  { roles, port }: SetupTarget['cluster'],
  { role, database }: Trial,
  { host, server }: Place,
): Promise<unknown> {
  const reference = roles[role]?.password
  if (reference === undefined) throw new Error(`${role} has no password to log in with`)
  try {
    const stream = await (await hosts.get(host)).dial(server, port)
    await knock(server, stream, { user: role, password: estate.secret(reference), database })
    return undefined
  } catch (error) {
    if (error instanceof PostgresError) return error
    if (errorBehind(error, HostError)?.failure === 'forward') return error
    throw error
  }
}

/** By pg_hba.conf, or by a firewall before it. */
function isRefusal(error: unknown): boolean {
  if (errorBehind(error, HostError)) return true
  const cause = error instanceof PostgresError ? error.cause : undefined
  return typeof cause === 'object' && cause !== null && 'code' in cause && refusals.includes(cause.code)
}

async function why({ server }: Instance, { role, database }: Trial, { address }: Place): Promise<string> {
  const rule = ruleFor(await readHbaRules(server), { role, database, address })
  return rule ? ` by line ${rule.line} of ${rule.file ?? 'pg_hba.conf'}` : ''
}

function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function describeProof({ allowed, refused }: AccessProof): string {
  return `${allowed.length} allowed logins got in, ${refused.length} others were refused`
}

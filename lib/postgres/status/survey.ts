import * as z from 'zod'

import { appShell } from '../../app/app.ts'
import { listMigrations } from '../../app/migrations.ts'
import type { Database, Environment } from '../../inventory/inventory.ts'
import { TaskError } from '../../task/errors.ts'
import type { ExitCode } from '../../task/exit-code.ts'
import { exitCode } from '../../task/exit-code.ts'
import { explain } from '../../task/explain.ts'
import { type Member, membersOf, reasonOf, type Reaching } from '../cluster.ts'
import { type KeptCopy, keptCopies, type Unfinished, unfinishedReset } from '../kept.ts'
import { failedMigrations, type Migration, pendingMigrations, readMigrations } from '../migrations.ts'
import type { Server } from '../server.ts'
import { sql } from '../sql.ts'
import { readServerFacts, type ServerFacts } from './facts.ts'

export interface ServerStatus extends ServerFacts {
  name: string
}

/** A server of which nothing is known but why. */
export interface SilentServer {
  name: string
  reason: string
  code: ExitCode
}

/** Rows that were changed or deleted and still take room; estimates of PostgreSQL's own statistics. */
const DeadRows = z.object({
  table: z.string(),
  live: z.number(),
  dead: z.number(),
  /** Since it was vacuumed, seconds. null: never. */
  vacuumed: z.number().nullable(),
})
export type DeadRows = z.infer<typeof DeadRows>

/** A database of the inventory, as the cluster has it. */
export interface DatabaseStatus {
  name: string
  environment: Environment
  /** What the database says of itself; null: nothing. */
  mark: Environment | null
  /** null: there is no such database. */
  bytes: number | null
  kept: KeptCopy[]
  unfinished: Unfinished | undefined
  /** null: none were ever applied. */
  applied: number | null
  failed: Migration[]
  /** null: not known. */
  pending: string[] | null
  deadRows: DeadRows[]
  /** What could not be found out, and why. */
  gaps: string[]
}

export interface ClusterStatus {
  cluster: string
  /** Those that answered. */
  servers: ServerStatus[]
  silent: SilentServer[]
  databases: DatabaseStatus[]
}

/** Asks all servers of a cluster, and the app's folders; whoever does not answer leaves a gap. */
export async function surveyCluster(reaching: Reaching, name: string): Promise<ClusterStatus> {
  const asked = await Promise.all(membersOf(reaching, name).map((member) => askMember(member)))
  const answers = asked.flatMap((one) => ('facts' in one ? [one] : []))
  // A standby has the same databases, should the primary be silent.
  const source = answers.find(({ facts }) => facts.role === 'primary') ?? answers[0]
  const declared = Object.entries(reaching.estate.cluster(name).databases)
  return {
    cluster: name,
    servers: answers.map(({ server, facts }) => ({ name: server.name, ...facts })),
    silent: asked.flatMap((one) => ('silent' in one ? [one.silent] : [])),
    databases: source
      ? await Promise.all(
          declared.map(([database, entry]) =>
            surveyDatabase(reaching, { cluster: name, name: database, entry }, source),
          ),
        )
      : [],
  }
}

type Answer = { server: Server; facts: ServerFacts }

async function askMember(member: Member): Promise<Answer | { silent: SilentServer }> {
  try {
    const server = await member.open()
    return { server, facts: await readServerFacts(server) }
  } catch (error) {
    const why = await explain(error)
    if (!(why instanceof TaskError)) throw error
    // A server that is down on a machine that answers is as good as not reached.
    const code = why.code === exitCode.failed ? exitCode.unreachable : why.code
    const reason = why.next === undefined ? why.message : `${why.message}; next: ${why.next}`
    return { silent: { name: member.name, reason, code } }
  }
}

async function surveyDatabase(
  reaching: Reaching,
  { cluster, name, entry }: { cluster: string; name: string; entry: Database },
  { server, facts: { databases } }: Answer,
): Promise<DatabaseStatus> {
  const facts = databases.find((one) => one.name === name)
  const gaps: string[] = []
  const told = async <T>(what: string, ask: Promise<T>): Promise<T | undefined> => {
    try {
      return await ask
    } catch (error) {
      gaps.push(`${what}: ${reasonOf(await explain(error))}`)
      return undefined
    }
  }
  const isOpen = facts?.allowsConnections === true
  const [migrations, deadRows, folder] = await Promise.all([
    isOpen ? told('migrations', readMigrations(server, name)) : undefined,
    isOpen ? told('dead rows', readDeadRows(server, name)) : undefined,
    told('pending migrations', listFolder(reaching, cluster, name)),
  ])
  return {
    name,
    environment: entry.environment,
    mark: facts?.mark.environment ?? null,
    bytes: facts?.bytes ?? null,
    kept: keptCopies(name, databases),
    unfinished: unfinishedReset(name, databases),
    applied: migrations?.filter(({ state }) => state === 'applied').length ?? null,
    failed: failedMigrations(migrations ?? []),
    pending: folder && isOpen ? pendingMigrations(folder, migrations ?? []) : null,
    deadRows: deadRows ?? [],
    gaps,
  }
}

/** The tables with the most of them. */
function readDeadRows(server: Server, database: string): Promise<DeadRows[]> {
  return server.select(
    DeadRows,
    sql`select schemaname || '.' || relname as table, n_live_tup as live, n_dead_tup as dead,
        extract(epoch from clock_timestamp() - greatest(last_vacuum, last_autovacuum))::bigint as vacuumed
      from pg_stat_user_tables where n_dead_tup > 0 order by n_dead_tup desc, 1 limit 3`,
    database,
  )
}

async function listFolder(
  { estate, hosts }: Reaching,
  cluster: string,
  database: string,
): Promise<string[] | undefined> {
  const entry = estate.appsUsing(cluster, database).find(({ app }) => app.migrations)?.app
  if (!entry?.migrations) return undefined
  const app = await appShell(hosts, entry)
  const names = await listMigrations(app, entry.migrations)
  if (!names) throw new TaskError(`${app.place} has no folder ${entry.migrations}`)
  return names
}

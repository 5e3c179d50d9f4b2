import type { ProcessPromise } from 'zx/core'

import { assertProof, type Proof } from '../../task/confirm.ts'
import type { Reaching } from '../cluster.ts'
import type { Server } from '../server.ts'
import { identifier, sql } from '../sql.ts'
import { conninfoText } from './auto-conf.ts'
import type { ClusterTarget } from './cluster-target.ts'
import type { InstancePlace } from './instance-place.ts'
import type { Leader } from './join-way.ts'
import type { Node } from './nodes.ts'
import { askAs } from './replica-login.ts'
import type { Standing } from './replication.ts'

/** Data that differs from the primary's is brought back to where they parted. */
export async function rewindProblem(
  reaching: Reaching,
  target: ClusterTarget,
  leader: Leader,
  node: Node,
  standing: Standing,
): Promise<string | undefined> {
  if (!standing.canRewind) return 'neither wal_log_hints nor data checksums are on there'
  const asked = await askAs(
    reaching,
    target,
    node.instance,
    leader.node.name,
    { dbname: 'postgres' },
    'select 1',
  )
  return 'problem' in asked
    ? `${target.role} cannot log in to the database postgres on ${leader.node.name}, as pg_rewind must: ${asked.problem}`
    : undefined
}

/** What pg_rewind calls on the primary (its manual, "Notes"); a role that may replicate can read all files anyway. */
export async function allowRewind(server: Server, role: string): Promise<void> {
  const to = identifier(role)
  await server.change([
    sql`grant execute on function pg_catalog.pg_ls_dir(text, boolean, boolean) to ${to}`,
    sql`grant execute on function pg_catalog.pg_stat_file(text, boolean) to ${to}`,
    sql`grant execute on function pg_catalog.pg_read_binary_file(text) to ${to}`,
    sql`grant execute on function pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) to ${to}`,
    // Before its first one after a promotion, the control file still names the old timeline.
    sql`checkpoint`,
  ])
}

function sourceOf(
  { estate }: Reaching,
  target: ClusterTarget,
  { host, passfile }: InstancePlace,
  primary: string,
): string {
  return conninfoText({
    host: estate.addressBetween(host.name, primary),
    port: target.cluster.port,
    user: target.role,
    passfile,
    dbname: 'postgres',
  })
}

/**
 * Whether a rewind of the stopped server would go through; it changes nothing.
 * @returns what pg_rewind said against it
 */
export async function tryRewind(
  reaching: Reaching,
  target: ClusterTarget,
  instance: InstancePlace,
  primary: string,
): Promise<string | undefined> {
  const { host, data, bin } = instance
  const source = sourceOf(reaching, target, instance, primary)
  const output = await host.as('postgres').read({
    nothrow: true,
  })`cd /; ${bin}/pg_rewind --dry-run -D ${data} --source-server ${source} 2>&1`
  return output.exitCode === 0 ? undefined : output.stdout.trim()
}

/**
 * Meanwhile the data has another name: half rewound, and with `standby.signal` gone as on the primary, it
 * must not be started by a machine that boots.
 *
 * @param proof the operator's word for losing what only this machine has
 */
export function rewind(
  reaching: Reaching,
  target: ClusterTarget,
  instance: InstancePlace,
  primary: string,
  proof: Proof,
): ProcessPromise {
  const { host, data, bin } = instance
  assertProof(proof, host.name)
  const source = sourceOf(reaching, target, instance, primary)
  const parent = data.slice(0, data.lastIndexOf('/'))
  return host.as('postgres').change`
    cd /
    mv -T -- ${data} ${data}.rewinding
    sync -- ${parent}
    ${bin}/pg_rewind --progress -D ${data}.rewinding --source-server ${source} 2>&1
    : > ${data}.rewinding/standby.signal
    sync -- ${data}.rewinding/standby.signal ${data}.rewinding
    mv -T -- ${data}.rewinding ${data}
    sync -- ${parent}`
}

import type { Estate } from '../../inventory/estate.ts'
import type { Reaching } from '../cluster.ts'
import { sql } from '../sql.ts'
import { conninfoText, type Following, passEscape, passLine, withFollowing } from './auto-conf.ts'
import type { ClusterTarget } from './cluster-target.ts'
import type { InstancePlace } from './instance-place.ts'
import { startInstance } from './instance-unit.ts'
import type { Leader } from './join-way.ts'
import type { Node } from './nodes.ts'
import { slotName } from './replication.ts'
import { ensureSlot } from './slot.ts'
import { markStandby } from './standby-signal.ts'

/** The settings by which a machine follows another one. */
export function followingOf(
  estate: Estate,
  { cluster, role }: ClusterTarget,
  { host, passfile }: InstancePlace,
  primary: string,
): Following {
  const parts = {
    host: estate.addressBetween(host.name, primary),
    port: cluster.port,
    user: role,
    passfile,
    application_name: host.name,
  }
  return { conninfo: conninfoText(parts), slot: slotName(host.name) }
}

/** What the standby logs in with. */
export async function writePassfile(
  { run }: Reaching,
  { role, password }: ClusterTarget,
  { host, passfile }: InstancePlace,
): Promise<void> {
  // With its escapes it is another text than the one that is known as a secret.
  run.onSecret(passEscape(password()))
  await host.as('postgres').write(passfile, passLine(role, password()), { mode: 0o600, owner: 'postgres' })
}

/** Writes the password and the settings; a server that runs reads them anew. */
export async function follow(
  reaching: Reaching,
  target: ClusterTarget,
  { instance, server, standing }: Pick<Node, 'instance' | 'server' | 'standing'>,
  primary: string,
): Promise<void> {
  await writePassfile(reaching, target, instance)
  const postgres = instance.host.as('postgres')
  const file = `${instance.data}/postgresql.auto.conf`
  const before = (await postgres.readFile(file)) ?? ''
  const after = withFollowing(before, followingOf(reaching.estate, target, instance, primary))
  await postgres.write(file, after, { mode: 0o600 })
  if (standing && after !== before) await server.change([sql`select pg_reload_conf()`])
}

/** A machine that has the cluster's data follows the primary, through a slot of its own. */
export async function letFollow(
  reaching: Reaching,
  target: ClusterTarget,
  leader: Leader,
  node: Node,
): Promise<void> {
  const { server } = leader.node
  // Before PostgreSQL 16, pg_rewind takes one that died without it for what it was before its promotion, and fails.
  if (leader.standing.checkpointTimeline < leader.standing.timeline) await server.change([sql`checkpoint`])
  await ensureSlot(reaching, leader, node.name, node.standing !== undefined)
  if (!node.standing) await markStandby(node.instance)
  await follow(reaching, target, node, leader.node.name)
  if (!node.standing) await startInstance(node.instance)
}

import * as z from 'zod'

import { EstateError } from '../../inventory/errors.ts'
import type { Estate } from '../../inventory/estate.ts'
import type { MachineCluster } from '../../inventory/inventory.ts'
import type { Preflight } from '../../task/task.ts'
import { machinesOnly } from '../kinds.ts'
import { slotName } from './replication.ts'

/** The flags of the tasks that make another machine the primary. */
export const handoverFlags = z.object({
  cluster: z
    .string()
    .optional()
    .meta({ description: 'the only one with several machines is the default', placeholder: 'NAME' }),
  to: z
    .string()
    .optional()
    .meta({ description: 'the new primary; default: the only standby', placeholder: 'HOST' }),
  confirm: z
    .string()
    .optional()
    .meta({ description: 'allow it for this production cluster', placeholder: 'NAME' }),
})
export type HandoverFlags = z.output<typeof handoverFlags>

/** A cluster of several machines, and the role that its standbys log in as. */
export interface ClusterTarget {
  name: string
  cluster: MachineCluster
  role: string
  password: () => string
  /** One of its databases is somebody's production. */
  production: boolean
}

/** @throws EstateError when there is no such cluster, or several and none is named; TaskError for another kind */
export function clusterTarget(estate: Estate, wanted: string | undefined): ClusterTarget {
  const name = wanted ?? onlyCluster(estate)
  const cluster = machinesOnly(name, estate.cluster(name), {
    managed: 'who runs it sees to its standbys',
    container: 'it is one server, and standbys are for clusters of machines',
  })
  if (cluster.hosts.length === 1) {
    throw new EstateError(
      `${name} has one machine only, ${cluster.hosts[0]}: there is no standby to speak of`,
    )
  }
  const role = cluster.replication ?? ''
  return {
    name,
    cluster,
    role,
    password: () => {
      const reference = cluster.roles[role]?.password
      if (!reference) throw new EstateError(`postgres.${name}.roles.${role} has no password`)
      return estate.secret(reference)
    },
    production: Object.values(cluster.databases).some(({ environment }) => environment === 'production'),
  }
}

function onlyCluster(estate: Estate): string {
  const names = Object.keys(estate.postgres)
  const several = names.filter((name) => {
    const cluster = estate.cluster(name)
    return 'hosts' in cluster && cluster.hosts.length > 1
  })
  const [only] = several
  if (only !== undefined && several.length === 1) return only
  if (several.length > 1)
    throw new EstateError(`there are several clusters: --cluster ${several.join(' or ')}`)
  throw new EstateError(
    `no cluster in ${estate.file} has more than one machine: there is no standby to speak of`,
  )
}

/**
 * Everything that speaks against working on the cluster and can be told from flags and inventory alone.
 * @param needed machines that must answer; default: one of them
 */
export function clusterPreflight(
  estate: Estate,
  flags: { cluster?: string | undefined; host?: string | undefined; confirm?: string | undefined },
  asksOnProduction: boolean,
  needed?: string[],
): Preflight {
  const target = clusterTarget(estate, flags.cluster)
  const { name, cluster, role, production } = target
  const problems: string[] = []
  const password = cluster.roles[role]?.password
  if (role === '') {
    problems.push(`postgres.${name}.replication is missing: the role under "roles" that standbys log in as`)
  } else if (!password)
    problems.push(`postgres.${name}.roles.${role}.password is missing: standbys log in by it`)
  if (flags.host !== undefined && !cluster.hosts.includes(flags.host)) {
    problems.push(`${flags.host} is no machine of ${name}; these are: ${cluster.hosts.join(', ')}`)
  }
  const slots = cluster.hosts.map((host) => slotName(host))
  const twice = cluster.hosts.filter((host) => slots.filter((slot) => slot === slotName(host)).length > 1)
  if (twice.length > 0) problems.push(`${twice.join(' and ')} would share one replication slot; rename one`)
  if (flags.confirm !== undefined && flags.confirm !== name) {
    problems.push(`--confirm ${flags.confirm} does not name the cluster ${name}`)
  }
  if (asksOnProduction && production && flags.confirm === undefined) {
    problems.push(`${name} holds a production database; to go on all the same, add --confirm ${name}`)
  }
  return {
    problems,
    secrets: password ? [password] : [],
    reach: [(needed ?? cluster.hosts).map((host) => ({ host, as: 'root' }))],
  }
}

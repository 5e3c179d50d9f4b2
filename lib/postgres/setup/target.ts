import type { Estate } from '../../inventory/estate.ts'
import type { MachineCluster } from '../../inventory/inventory.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import type { Preflight } from '../../task/task.ts'
import { machinesOnly } from '../kinds.ts'
import type { WantedRole } from '../roles.ts'

/** A cluster of machines of ours, as the inventory has it. */
export interface SetupTarget {
  name: string
  cluster: MachineCluster
}

/**
 * @param name default: the only cluster
 * @throws TaskError for a server that is managed or in a container, EstateError for an unknown name
 */
export function setupTarget(estate: Estate, name: string | undefined): SetupTarget {
  const names = Object.keys(estate.postgres)
  const chosen = name ?? (names.length === 1 ? names[0] : undefined)
  if (chosen === undefined) {
    const found =
      names.length === 0 ? 'no PostgreSQL cluster' : `${names.length} clusters: ${names.join(', ')}`
    throw new TaskError(`${estate.file} has ${found}`, {
      code: exitCode.usage,
      next: names.length === 0 ? 'write it down under "postgres"' : 'say which one with --cluster NAME',
    })
  }
  const cluster = machinesOnly(chosen, estate.cluster(chosen), {
    managed: 'its provider installs it and says who may connect to it',
    container: 'its image installs it, and the networks of the container say who may connect to it',
  })
  return { name: chosen, cluster }
}

/** All that can be told from the inventory and .env alone. */
export function setupPreflight(estate: Estate, { name, cluster }: SetupTarget): Omit<Preflight, 'reach'> {
  const secrets = Object.values(cluster.roles).flatMap(({ password }) => password ?? [])
  const unfit = Object.entries(cluster.roles).filter(
    ([, { password }]) =>
      password !== undefined &&
      estate.missingSecrets([password]).length === 0 &&
      !isPlainPassword(estate.secret(password)),
  )
  return {
    problems: unfit.map(
      ([role, { password }]) =>
        `the password of ${role} in postgres.${name} (${password}) has characters that clients send in different ways; take letters, digits and signs of ASCII`,
    ),
    secrets,
  }
}

/** Letters that every client sends as they are; others would have to go through SASLprep, which not all do. */
function isPlainPassword(password: string): boolean {
  return /^[\x20-\x7e]+$/.test(password)
}

/** What the cluster's roles are to be. */
export function wantedRoles(estate: Estate, cluster: MachineCluster): WantedRole[] {
  return Object.entries(cluster.roles).map(([name, { password }]) => ({
    name,
    password: password && estate.secret(password),
    login: password !== undefined || cluster.access.some(({ role }) => role === name),
    replication: cluster.replication === name,
  }))
}

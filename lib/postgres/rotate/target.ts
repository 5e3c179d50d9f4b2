import type { Estate, NamedApp } from '../../inventory/estate.ts'
import { type SecretRef, secretName } from '../../inventory/secrets.ts'
import { poolerReach } from '../../pgbouncer/poolers.ts'
import type { Preflight } from '../../task/task.ts'

export interface RotateFlags {
  cluster: string
  role: string
  ask: boolean
}

/** What the inventory says about the role whose password changes. */
export interface RotateTarget {
  cluster: string
  role: string
  /** The variable of `.env` that holds its password, and the one that holds the old one meanwhile. */
  variable: string
  previous: string
  apps: NamedApp[]
  /** The database that it owns, if it owns one: there its login is tried. */
  database: string | undefined
  /** Standbys log in as this role. */
  isReplication: boolean
}

/** @throws EstateError for a cluster that the inventory does not have */
export function rotateTarget(estate: Estate, { cluster, role }: RotateFlags): RotateTarget | undefined {
  const entry = estate.cluster(cluster)
  const password = Object.hasOwn(entry.roles, role) ? entry.roles[role]?.password : undefined
  if (!password) return undefined
  const variable = secretName(password)
  const owned = Object.entries(entry.databases).flatMap(([name, { owner }]) => (owner === role ? [name] : []))
  return {
    cluster,
    role,
    variable,
    previous: `${variable}_PREVIOUS`,
    apps: owned.flatMap((name) => estate.appsUsing(cluster, name)),
    database: owned[0],
    isReplication: 'hosts' in entry && entry.replication === role,
  }
}

/** Everything that speaks against it and can be told from flags, inventory and environment alone. */
export function rotatePreflight(estate: Estate, flags: RotateFlags): Preflight {
  const cluster = estate.cluster(flags.cluster)
  const target = rotateTarget(estate, flags)
  if (!target) {
    const names = Object.keys(cluster.roles).join(', ')
    const problem = `postgres.${flags.cluster} in ${estate.file} has no role "${flags.role}" with a password; there are: ${names}`
    return { problems: [problem], secrets: [], reach: [] }
  }
  const { variable, role, apps } = target
  const problems: string[] = []
  if (process.env[variable] !== undefined) {
    problems.push(
      `${variable} is set in the environment, which wins over ${estate.secretsFile}; unset it there`,
    )
  }
  const others = Object.entries(estate.postgres).flatMap(([name, { roles }]) =>
    Object.entries(roles).flatMap(([other, { password }]) =>
      isSame(password, variable) && !(name === flags.cluster && other === role)
        ? [`${other} of ${name}`]
        : [],
    ),
  )
  if (others.length > 0) {
    problems.push(
      `${variable} is the password of ${others.join(' and ')} too; give each a variable of its own`,
    )
  }
  if ('url' in cluster && estate.missingSecrets([cluster.url]).length === 0) {
    const { username } = new URL(estate.secret(cluster.url))
    if (decodeURIComponent(username) === role) {
      problems.push(
        `hausmeister itself logs in as ${role} to ${flags.cluster}; change its password at the provider`,
      )
    }
  }
  return {
    problems,
    secrets: 'url' in cluster ? [cluster.url] : [],
    reach: [
      ...('hosts' in cluster ? [cluster.hosts.map((host) => ({ host, as: 'postgres' }))] : []),
      ...('via' in cluster && cluster.via ? [[{ host: cluster.via }]] : []),
      ...('container' in cluster ? [[{ host: cluster.container.host, as: 'root' }]] : []),
      ...poolerReach(estate, flags.cluster),
      ...apps.map(({ app }) => [{ host: app.host, ...(app.envFile ? { as: 'root' } : {}) }]),
    ],
  }
}

function isSame(password: SecretRef | undefined, variable: string): boolean {
  return password !== undefined && secretName(password) === variable
}

import { parseCidr } from '../../inventory/addresses.ts'
import type { Estate } from '../../inventory/estate.ts'
import type { MachineCluster } from '../../inventory/inventory.ts'
import { ranges } from '../hba.ts'

/** A login that is to be tried, and how it has to end. */
export interface Trial {
  role: string
  database: string
  allowed: boolean
  /** Machines that can try it, each with its address and that of the server in the same network; the first that is reached does. */
  from: Place[]
}

export interface Place {
  host: string
  network: string
  address: string
  server: string
}

/**
 * For each access rule a login that it allows, from each network of a host or from one machine of a network or
 * range; and for each role with a password, in each network, one that no rule allows.
 *
 * @param primary the machine of the server
 */
export function loginTrials(
  estate: Estate,
  cluster: MachineCluster,
  primary: string,
): { trials: Trial[]; untried: string[] } {
  const places = placesOf(estate, primary)
  const trials: Trial[] = []
  const untried: string[] = []
  for (const { role, database, from } of cluster.access) {
    const what = `${role} to ${database} from ${from}`
    const name = database === 'all' ? (Object.keys(cluster.databases)[0] ?? 'postgres') : database
    const inside = places.filter(({ address }) => isIn(address, ranges(estate, from)))
    const own = inside.filter(({ host }) => host === from)
    if (cluster.roles[role]?.password === undefined) untried.push(`${what}: the role has no password`)
    else if (inside.length === 0) {
      untried.push(`${what}: no machine of the estate has an address there that can reach ${primary}`)
    } else if (own.length > 0) {
      trials.push(...own.map((place) => ({ role, database: name, allowed: true, from: [place] })))
    } else {
      trials.push({ role, database: name, allowed: true, from: appsFirst(estate, inside, name) })
    }
  }
  const networks = [...new Set(places.map(({ network }) => network))]
  for (const [role, { password }] of Object.entries(cluster.roles)) {
    if (password === undefined) continue
    for (const network of networks) trials.push(...forbidden(estate, cluster, role, network, places))
  }
  return { trials, untried }
}

/** Rather from a machine that no rule names than to a database that no rule names. */
function forbidden(
  estate: Estate,
  cluster: MachineCluster,
  role: string,
  network: string,
  places: Place[],
): Trial[] {
  const here = places.filter((place) => place.network === network)
  for (const database of [...Object.keys(cluster.databases), 'postgres']) {
    const outside = here.filter(
      ({ address }) =>
        !cluster.access.some(
          (rule) =>
            rule.role === role &&
            ['all', database].includes(rule.database) &&
            isIn(address, ranges(estate, rule.from)),
        ),
    )
    if (outside.length > 0) return [{ role, database, allowed: false, from: outside }]
  }
  return []
}

/** Every machine with every network that it shares with the server; the server's own machine last. */
function placesOf(estate: Estate, primary: string): Place[] {
  const servers = estate.host(primary).addresses ?? {}
  const names = Object.keys(estate.hosts).toSorted((a, b) => Number(a === primary) - Number(b === primary))
  return names.flatMap((host) =>
    Object.keys(estate.networks).flatMap((network) => {
      const address = estate.host(host).addresses?.[network]
      const server = servers[network]
      return address === undefined || server === undefined ? [] : [{ host, network, address, server }]
    }),
  )
}

function appsFirst(estate: Estate, places: Place[], database: string): Place[] {
  const uses = ({ host }: Place): boolean =>
    Object.values(estate.apps).some((app) => app.host === host && app.database?.name === database)
  return places.toSorted((a, b) => Number(uses(b)) - Number(uses(a)))
}

function isIn(address: string, cidrs: string[]): boolean {
  return cidrs.some((cidr) => parseCidr(cidr)?.contains(address))
}

import * as z from 'zod'

import { errorBehind, HostError } from '../host/errors.ts'
import type { ProxmoxCluster } from '../inventory/inventory.ts'
import { secretName } from '../inventory/secrets.ts'
import { Api } from '../proxmox/api.ts'
import type { Reaching } from '../proxmox/reaching.ts'
import { parseToken } from '../proxmox/token.ts'

export interface OpenCluster {
  api: Api
  /** Nodes that were asked before and did not answer, each with the reason. */
  silent: string[]
}

/**
 * The API of a cluster, at the first of its nodes that answers.
 * @throws HostError when none does; ApiError when the token is refused, which every node would do
 */
export async function openCluster(
  reaching: Reaching,
  name: string,
  cluster: ProxmoxCluster,
): Promise<OpenCluster> {
  const silent: HostError[] = []
  for (const node of Object.keys(cluster.nodes)) {
    const api = nodeApi(reaching, name, cluster, node)
    try {
      await api.get('/version', z.object({ version: z.string() }))
      return { api, silent: silent.map(({ message }) => message) }
    } catch (error) {
      const failure = errorBehind(error, HostError)
      if (!failure || failure.failure === 'cancelled') throw error
      silent.push(failure)
    }
  }
  const [first, ...others] = silent
  if (!first) throw new Error(`${name} has no nodes`)
  if (others.length === 0) throw first
  const all = silent.map(({ message }) => message).join('; ')
  throw new HostError(name, first.failure, `no node answers: ${all}`, first.next, first)
}

function nodeApi({ estate, hosts, run }: Reaching, name: string, cluster: ProxmoxCluster, node: string): Api {
  const { url, fingerprint } = cluster.nodes[node] ?? { url: '' }
  const target = new URL(url)
  const variable = secretName(cluster.token)
  return new Api({
    peer: {
      name: `Proxmox VE node ${node} at ${target.origin}`,
      hostname: target.hostname,
      fingerprint,
      field: `proxmox.${name}.nodes.${node}.fingerprint`,
      askThere:
        '`pvenode cert info` (the fingerprint of pve-ssl.pem, or of pveproxy-ssl.pem if there is one)',
    },
    url: target,
    token: parseToken(estate.secret(cluster.token), variable),
    variable,
    kind: 'PVEAPIToken',
    dial: (address, port) => hosts.dial(cluster.via, address, port),
    run,
  })
}

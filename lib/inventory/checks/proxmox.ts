import type { Cursor } from '../cursor.ts'
import type { Finding } from '../finding.ts'
import { suggestion } from '../nearest.ts'
import { reference } from './references.ts'

/** Proxmox VE clusters against the hosts that are their nodes, and the ways to them. */
export function* proxmoxFindings(root: Cursor): Generator<Finding> {
  const hosts = root.get('hosts')
  const owners = new Map<string, string>()
  for (const [cluster, entry] of root.get('proxmox').members()) {
    yield* reference(entry.get('via'), 'host', hosts)
    yield* reference(entry.get('backup', 'via'), 'host', hosts)
    for (const [name, node] of entry.get('nodes').members()) {
      const owner = owners.get(name)
      if (owner !== undefined) yield node.keyProblem(`"${name}" is a node of "${owner}" already`)
      owners.set(name, cluster)
      yield* nodeFindings(name, node, hosts)
    }
  }
}

function* nodeFindings(name: string, node: Cursor, hosts: Cursor): Generator<Finding> {
  if (hosts.lacks(name)) {
    yield node.keyProblem(`no host is called "${name}"`, suggestion(name, hosts.names()))
    return
  }
  const mark = hosts.get(name, 'proxmox')
  if (!hosts.has(name) || (mark.exists && mark.value !== false)) return
  yield node.keyProblem(
    `"${name}" is not marked as a Proxmox VE node`,
    `Set "proxmox": true at hosts.${name}`,
  )
}

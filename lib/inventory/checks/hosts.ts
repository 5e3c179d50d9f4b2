import { isIP } from 'node:net'

import { canonicalAddress, parseCidr } from '../addresses.ts'
import type { Cursor } from '../cursor.ts'
import type { Finding } from '../finding.ts'
import { suggestion } from '../nearest.ts'
import { reference } from './references.ts'

/** Addresses, ways in and Proxmox guests: what one host entry cannot know by itself. */
export function* hostFindings(root: Cursor): Generator<Finding> {
  const hosts = root.get('hosts')
  for (const [name, host] of hosts.members()) {
    if (root.get('networks').has(name)) {
      yield host.keyProblem(`"${name}" is a network too; access rules could not tell which is meant`)
    }
    yield* addressFindings(host, root.get('networks'))
    yield* sshFindings(name, host, hosts)
    yield* guestFindings(name, host, hosts)
  }
  yield* sharedAddresses(hosts)
  yield* sharedVmids(hosts)
}

function* addressFindings(host: Cursor, networks: Cursor): Generator<Finding> {
  for (const [network, address] of host.get('addresses').members()) {
    if (networks.lacks(network)) {
      yield address.keyProblem(`no network is called "${network}"`, suggestion(network, networks.names()))
    }
    const cidr = networks.get(network, 'cidr').text
    const range = cidr === undefined ? undefined : parseCidr(cidr)
    if (address.text === undefined || range === undefined || isIP(address.text) === 0) continue
    if (!range.contains(address.text)) {
      const fitting = networks
        .members()
        .find(([, entry]) => parseCidr(entry.get('cidr').text ?? '')?.contains(address.text ?? ''))
      const hint = fitting === undefined ? undefined : `It is in the network "${fitting[0]}"`
      yield address.problem(`${address.text} is outside of "${network}", which is ${cidr}`, hint)
    }
  }
}

function* sshFindings(name: string, host: Cursor, hosts: Cursor): Generator<Finding> {
  const ssh = host.get('ssh')
  if (host.get('local').value === true && ssh.exists) {
    yield ssh.keyProblem('a local host is reached without SSH; leave "ssh" or "local" out')
  }
  const network = ssh.get('network')
  const addresses = host.get('addresses')
  if (network.text !== undefined && addresses.lacks(network.text)) {
    yield network.problem(
      `"${name}" has no address in a network "${network.text}"`,
      suggestion(network.text, addresses.names()),
    )
  }
  const jump = ssh.get('jump')
  yield* reference(jump, 'host', hosts)
  const loop = jumpLoop(name, hosts)
  // Each loop once, at the first of its hosts in the alphabet.
  if (loop !== undefined && loop.toSorted()[0] === name) {
    yield jump.problem(`the jumps go in a circle: ${[...loop, name].join(' -> ')}`)
  }
}

/** The hosts from `name` by their jumps back to `name`, if they lead back. */
function jumpLoop(name: string, hosts: Cursor): string[] | undefined {
  const way = [name]
  for (;;) {
    const next = hosts.get(way.at(-1) ?? '', 'ssh', 'jump').text
    if (next === undefined) return undefined
    if (next === name) return way
    // Somebody else's circle: reported there.
    if (way.includes(next)) return undefined
    way.push(next)
  }
}

function* guestFindings(name: string, host: Cursor, hosts: Cursor): Generator<Finding> {
  const node = host.get('guestOf')
  if (node.text === undefined) return
  if (node.text === name) {
    yield node.problem(`"${name}" cannot be its own guest`)
    return
  }
  yield* reference(node, 'host', hosts)
  const mark = hosts.get(node.text, 'proxmox')
  if (!hosts.has(node.text) || (mark.exists && mark.value !== false)) return
  const nodes = hosts.members().filter(([, entry]) => entry.get('proxmox').value === true)
  const hint =
    nodes.length === 0
      ? `Set "proxmox": true at hosts.${node.text} if it is one`
      : `Proxmox VE nodes: ${nodes.map(([other]) => other).join(', ')}`
  yield node.problem(`"${node.text}" is not marked as a Proxmox VE node`, hint)
}

/** One address in one network is one machine, unless port forwarding gives several SSH ports behind it. */
function* sharedAddresses(hosts: Cursor): Generator<Finding> {
  const owners = new Map<string, string>()
  for (const [name, host] of hosts.members()) {
    if (host.get('local').value === true) continue
    const port = host.get('ssh', 'port').number ?? 22
    for (const [network, address] of host.get('addresses').members()) {
      if (address.text === undefined) continue
      const key = `${network} ${canonicalAddress(address.text)} ${port}`
      const owner = owners.get(key)
      if (owner === undefined) owners.set(key, name)
      else yield address.problem(`"${owner}" has the same address, ${address.text}, in "${network}"`)
    }
  }
}

/** Unique in a cluster of nodes; guests of two named nodes may repeat one, for those may be no cluster. */
function* sharedVmids(hosts: Cursor): Generator<Finding> {
  const guests = hosts.members().flatMap(([name, host]) => {
    const vmid = host.get('vmid')
    return vmid.number === undefined ? [] : [{ name, vmid, node: host.get('guestOf').text }]
  })
  for (const [index, guest] of guests.entries()) {
    const twin = guests.slice(0, index).find(({ vmid, node }) => {
      const apart = node !== undefined && guest.node !== undefined && node !== guest.node
      return vmid.number === guest.vmid.number && !apart
    })
    if (twin !== undefined) yield guest.vmid.problem(`"${twin.name}" has the same vmid, ${guest.vmid.number}`)
  }
}

import { readdir } from 'node:fs/promises'

import { execa } from 'execa'

import { addressOf, controllerAddress, type Machine, type Network, networks } from './machines.ts'
import { hostNamespace, namespaceExists, namespacePath, type Place } from './place.ts'

/** Many `ip` commands in one process, in a namespace. */
async function ip(namespace: string, lines: readonly string[]): Promise<void> {
  await execa('ip', ['-n', namespace, '-batch', '-'], { input: lines.join('\n') })
}

const bridge = (network: Network) => `sw-${network}`
const port = (network: Network, octet: number) => `${network}-${octet}`

/** Fixed, as a real machine's is: a new one after every boot would cost half a minute of stale ARP entries. */
function mac(network: Network, octet: number): string {
  return `02:68:6d:${network === 'lan' ? '01' : '02'}:00:${octet.toString(16).padStart(2, '0')}`
}

function cable(network: Network, octet: number, namespace: string): string[] {
  const name = port(network, octet)
  const peer = `peer name ${networks[network].cable} address ${mac(network, octet)} netns ${namespace}`
  return [`link add name ${name} type veth ${peer}`, `link set dev ${name} master ${bridge(network)} up`]
}

/** IPv4 and IPv6 through a cut port vanish without a word; ARP goes on, so that no "no route to host" tells the other side. */
const cutRules = `table bridge lab {
  set cut { type ifname; }
  chain forward {
    type filter hook forward priority 0;
    ether type { ip, ip6 } iifname @cut drop
    ether type { ip, ip6 } oifname @cut drop
  }
}`

/** nft comes from the hosts' tree: this machine need not have it. */
async function nft(place: Place, tree: string, input: string): Promise<string> {
  const enter = `--net=${namespacePath(place.switchNamespace)}`
  return (await execa('nsenter', [enter, 'chroot', tree, 'nft', '-f', '-'], { input })).stdout
}

/** The switch with its two networks, and the operator's workstation on the lan. No cable leads out of them. */
export async function layNetworks(place: Place, tree: string): Promise<void> {
  const { switchNamespace: sw, controllerNamespace: controller } = place
  await Promise.all([sw, controller].map((name) => execa('ip', ['netns', 'add', name])))
  const octet = Number(controllerAddress.split('.')[3])
  await ip(sw, [
    'link set dev lo up',
    `link add name ${bridge('lan')} type bridge forward_delay 0 mcast_snooping 0`,
    `link add name ${bridge('internal')} type bridge forward_delay 0 mcast_snooping 0`,
    `link set dev ${bridge('lan')} up`,
    `link set dev ${bridge('internal')} up`,
    ...cable('lan', octet, controller),
  ])
  await ip(controller, [
    'link set dev lo up',
    `addr add ${controllerAddress}/24 dev eth0`,
    'link set dev eth0 up',
  ])
  await nft(place, tree, cutRules)
}

export async function plugIn(place: Place, machine: Machine): Promise<void> {
  const namespace = hostNamespace(place, machine.name)
  await execa('ip', ['netns', 'add', namespace])
  await ip(
    place.switchNamespace,
    machine.cables.flatMap((network) => cable(network, machine.octet, namespace)),
  )
  await ip(namespace, [
    'link set dev lo up',
    ...machine.cables.flatMap((network) => [
      `addr add ${addressOf(machine, network)}/24 dev ${networks[network].cable}`,
      `link set dev ${networks[network].cable} up`,
    ]),
  ])
}

/** Takes the cables' far ends down: from here on nothing that the dying host says is heard. */
export async function silence(place: Place, machine: Machine): Promise<void> {
  await ip(
    place.switchNamespace,
    machine.cables.map((network) => `link set dev ${port(network, machine.octet)} down`),
  )
}

export async function unplug(place: Place, machine: Machine): Promise<void> {
  await ip(
    place.switchNamespace,
    machine.cables.map((network) => `link del dev ${port(network, machine.octet)}`),
  )
  await execa('ip', ['netns', 'del', hostNamespace(place, machine.name)])
}

function ports(machine: Machine): string {
  return machine.cables.map((network) => `"${port(network, machine.octet)}"`).join(', ')
}

export async function cutCables(place: Place, tree: string, machine: Machine): Promise<void> {
  await nft(place, tree, `add element bridge lab cut { ${ports(machine)} }`)
}

/** Adding first makes mending what was not cut no error. */
export async function mendCables(place: Place, tree: string, machine: Machine): Promise<void> {
  const element = `element bridge lab cut { ${ports(machine)} }`
  await nft(place, tree, `add ${element}\ndelete ${element}`)
}

export async function isCut(place: Place, tree: string, machine: Machine): Promise<boolean> {
  return (await nft(place, tree, 'list set bridge lab cut')).includes(
    `"${port(machine.cables[0] ?? 'lan', machine.octet)}"`,
  )
}

/** Removes every namespace of this lab, and with them their cables. */
export async function removeNetworks(place: Place): Promise<void> {
  const names = await readdir('/run/netns').catch(() => [])
  for (const name of names) {
    if (name.startsWith(`${place.name}-`) && namespaceExists(name)) await execa('ip', ['netns', 'del', name])
  }
}

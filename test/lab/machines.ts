/** The machines of the estate `weltenwind` (seed 000), and two spare ones for tests that break things. */

export type Network = 'lan' | 'internal'

/** The releases of Debian that machines have. */
export const suites = ['trixie', 'bookworm'] as const
export type Suite = (typeof suites)[number]

/** `password`: sudo asks for one; `free`: it does not. */
export type Login = { user: 'root' } | { user: 'ops'; sudo: 'password' | 'free'; groups: readonly string[] }

export type Machine = {
  name: string
  suite: Suite
  octet: number
  cables: readonly Network[]
  port: number
  login: Login
  guestOf?: string
  jump?: string
}

/** First three octets of each network; the last one is the machine's, the same in both. */
export const networks: Record<Network, { prefix: string; cable: string }> = {
  lan: { prefix: '192.168.2', cable: 'eth0' },
  internal: { prefix: '10.10.10', cable: 'eth1' },
}

/** The operator's workstation: on the lan only, so that what is internal is reached by a jump or not at all. */
export const controllerAddress = '192.168.2.5'

/** The S3 store, where a test has started it: on pbs. */
export const storeEndpoint = `http://${networks.lan.prefix}.20:8080`

const both: readonly Network[] = ['lan', 'internal']
const root: Login = { user: 'root' }

function plain(name: string, octet: number, guestOf?: string): Machine {
  return { name, suite: 'trixie', octet, cables: both, port: 22, login: root, ...(guestOf && { guestOf }) }
}

export const machines: readonly Machine[] = [
  plain('pve', 10),
  { ...plain('pg-primary', 11, 'pve'), login: { user: 'ops', sudo: 'password', groups: ['sudo'] } },
  { ...plain('pg-replica', 12, 'pve'), cables: ['internal'], jump: 'pve' },
  { ...plain('vm-proxy', 13, 'pve'), port: 2222 },
  { ...plain('vm-app', 14, 'pve'), login: { user: 'ops', sudo: 'free', groups: ['docker'] } },
  plain('vm-assets', 15, 'pve'),
  plain('vm-grafana', 16, 'pve'),
  plain('pbs', 20),
  { ...plain('spare-1', 31), suite: 'bookworm' },
  { ...plain('spare-2', 32), suite: 'bookworm' },
]

/** Throws on an unknown name, with the names there are. */
export function machineNamed(name: string): Machine {
  const found = machines.find((machine) => machine.name === name)
  if (!found) {
    throw new Error(
      `no machine ${JSON.stringify(name)} in the lab; it has ${machines.map((m) => m.name).join(', ')}`,
    )
  }
  return found
}

export function addressOf(machine: Machine, network: Network): string {
  return `${networks[network].prefix}.${machine.octet}`
}

/** The network by which ssh reaches it: the lan, unless there is no cable to it. */
export function sshNetwork(machine: Machine): Network {
  return machine.cables.includes('lan') ? 'lan' : 'internal'
}

export function sshAddress(machine: Machine): string {
  return addressOf(machine, sshNetwork(machine))
}

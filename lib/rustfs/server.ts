import { isIPv6 } from 'node:net'

import type { Host } from '../host/host.ts'
import type { Hosts } from '../host/hosts.ts'
import type { Estate } from '../inventory/estate.ts'
import type { StoreEntry, StoreServer } from '../inventory/inventory.ts'

/** The store that hausmeister runs for an estate: one RustFS in a container. */
export interface Server {
  /** Of its container, compose project and unit. */
  name: string
  estate: string
  /** As root: its data belongs to a user of the container. */
  host: Host
  runtime: 'docker' | 'podman'
  image: string
  directory: string
  /** What it listens on, and nothing else; IPv6 in brackets. */
  address: string
  port: number
}

/** The user of RustFS' image: https://docs.rustfs.com/installation/container */
export const storeUser = 10_001

export async function serverOf(
  hosts: Hosts,
  estate: Estate,
  store: StoreEntry,
  entry: StoreServer,
): Promise<Server> {
  const { address, port } = listenerOf(store.endpoint)
  const host = await hosts.get(entry.host)
  return {
    name: `hausmeister-${estate.name.toLowerCase().replaceAll('.', '-')}-store`,
    estate: estate.name,
    host: host.as('root'),
    runtime: entry.runtime === 'podman' ? 'podman' : 'docker',
    image: entry.image,
    directory: entry.directory,
    address: isIPv6(address) ? `[${address}]` : address,
    port,
  }
}

/** Where an endpoint of plain HTTP is listened on. */
export function listenerOf(endpoint: string): { address: string; port: number } {
  const { hostname, port } = new URL(endpoint)
  return { address: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) }
}

export function dataOf({ directory }: Server): string {
  return `${directory}/data`
}

/** Root's alone. */
export function keyFileOf({ directory }: Server): string {
  return `${directory}/store.env`
}

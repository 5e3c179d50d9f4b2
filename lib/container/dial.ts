import { Duplex } from 'node:stream'

import type { Host } from '../host/host.ts'
import type { Hosts } from '../host/hosts.ts'
import type { Estate } from '../inventory/estate.ts'
import { TaskError } from '../task/errors.ts'
import type { Container } from './container.ts'

/**
 * A TCP connection to a port inside of a container, from a machine of the estate: by the port that it publishes, else
 * from its own machine by its address.
 *
 * Never by loopback where there is another way: the official image of PostgreSQL trusts whoever comes from there.
 */
export async function dialContainer(
  { estate, hosts }: { estate: Estate; hosts: Hosts },
  container: Container,
  port: number,
  from: string,
): Promise<Duplex> {
  const machine = container.host.name
  const dialler = await hosts.get(from)
  const isHome = from === machine
  const outside = container.hostNetwork
    ? { address: '', port }
    : container.published.find((one) => one.of === port && (isHome || isForAll(one.address)))
  if (outside) {
    const address = isForAll(outside.address) ? estate.addressBetween(from, machine) : outside.address
    return dialler.dial(address, outside.port)
  }
  const [address] = container.addresses
  if (!isHome || address === undefined) {
    throw new TaskError(`${container.title} publishes no port that ${from} could reach`, {
      next: `publish ${port} there, or let the app of the inventory run on ${machine}`,
    })
  }
  const isRootless = container.runtime === 'podman' && container.host.user !== 'root'
  return isRootless ? dialFromWithin(container.host, address, port) : dialler.dial(address, port)
}

function isForAll(address: string): boolean {
  return ['', '0.0.0.0', '::'].includes(address)
}

/** The networks of rootless podman are in a namespace of their own, where podman lets its user in. */
function dialFromWithin(host: Host, address: string, port: number): Duplex {
  const relay = 'exec 3<> "/dev/tcp/$0/$1"; { cat <&3; kill $$; } & exec cat >&3'
  const command = host.read({
    keepInputOpen: true,
  })`exec podman unshare --rootless-netns bash -c ${relay} ${address} ${port}`
  const stream = Duplex.from({ readable: command.stdout, writable: command.stdin })
  stream.on('error', () => {})
  command.catch(({ stderr }: { stderr?: string }) => {
    stream.destroy(new Error(stderr?.trim().split('\n').at(-1) || `${address}:${port} hung up`))
  })
  stream.once('close', () => void command.kill('SIGTERM').catch(() => {}))
  return stream
}

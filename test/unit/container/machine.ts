import { type Duplex, PassThrough } from 'node:stream'

import { Hosts } from '../../../lib/host/hosts.ts'
import { estateOf, RecordedRun, type Script, ScriptedMachine } from '../doubles.ts'

/** What `podman inspect` or `docker inspect` says, as far as it is read. */
export function inspected({
  running = true,
  env = [],
  labels = {},
  mode = 'bridge',
  ports = {},
  address = '10.89.0.5',
}: {
  running?: boolean
  env?: string[]
  labels?: Record<string, string>
  mode?: string
  ports?: Record<string, { HostIp: string; HostPort: string }[] | null>
  address?: string
} = {}): string {
  return JSON.stringify([
    {
      State: { Status: running ? 'running' : 'exited', Running: running, ExitCode: running ? 0 : 137 },
      Config: { Env: ['PATH=/usr/bin', ...env], Labels: labels },
      HostConfig: { NetworkMode: mode },
      NetworkSettings: { Ports: ports, Networks: { own: { IPAddress: address, Aliases: ['db'] } } },
    },
  ])
}

async function dial(): Promise<Duplex> {
  return new PassThrough()
}

/** A machine `server` on which `ops` logs in, and one beside it. */
export async function boxes(script: Script) {
  const estate = await estateOf({
    networks: { lan: { cidr: '192.0.2.0/24' } },
    hosts: {
      server: { addresses: { lan: '192.0.2.1' } },
      other: { addresses: { lan: '192.0.2.2' } },
    },
  })
  const machines = new Map<string, ScriptedMachine>()
  const hosts = new Hosts(estate, new RecordedRun(), async (name) => {
    const machine = new ScriptedMachine(name, script, { loginUser: 'ops', dial })
    machines.set(name, machine)
    return machine
  })
  return { estate, hosts, machines }
}

import * as z from 'zod'

import { fromHome } from '../host/home.ts'
import type { Host } from '../host/host.ts'
import type { Hosts } from '../host/hosts.ts'
import type { ContainerEntry } from '../inventory/inventory.ts'
import { suggestion } from '../inventory/nearest.ts'
import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import { dockerUser } from './docker-user.ts'

/** A container that runs, as its machine tells of it. */
export interface Container {
  /** As messages name it: `server (container seaser-postgres)`. */
  title: string
  /** Who may call podman or docker for it. */
  host: Host
  runtime: 'podman' | 'docker'
  /** Its name; its id where compose has made it. */
  name: string
  /** With which it was made. There are secrets in it. */
  environment: Record<string, string>
  /** The systemd unit that has made it, and makes it anew. */
  unit: string | undefined
  /** It has no network of its own. */
  hostNetwork: boolean
  /** In its own networks. */
  addresses: string[]
  /** What other containers may call it. */
  aliases: string[]
  published: Published[]
}

export interface Published {
  /** On the machine; empty or all zeros: on all of its addresses. */
  address: string
  port: number
  /** Inside of the container. */
  of: number
}

const Network = z.object({ IPAddress: z.string(), Aliases: z.array(z.string()).nullish() })
const Publishing = z.object({ HostIp: z.string(), HostPort: z.string() })

/** Both podman and docker have these fields (tried with 5.4 and 26.1). */
const Inspected = z.array(
  z.object({
    State: z.object({ Status: z.string(), Running: z.boolean(), ExitCode: z.number() }),
    Config: z.object({
      Env: z.array(z.string()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    }),
    HostConfig: z.object({ NetworkMode: z.string() }),
    NetworkSettings: z.object({
      Ports: z.record(z.string(), z.array(Publishing).nullable()).nullish(),
      Networks: z.record(z.string(), Network).nullish(),
    }),
  }),
)
type Facts = z.infer<typeof Inspected>[number]

/** @throws TaskError that says how to start it, or what else there is, when it does not run */
export async function findContainer(hosts: Hosts, entry: ContainerEntry): Promise<Container> {
  const login = await hosts.get(entry.host)
  const host = entry.runtime === 'podman' ? login : await dockerUser(login)
  const runtime = entry.runtime === 'podman' ? 'podman' : 'docker'
  const name = entry.runtime === 'compose' ? await containerOf(host, entry) : entry.name
  const facts = await inspect(host, runtime, name, entry)
  const unit = facts.Config.Labels?.['PODMAN_SYSTEMD_UNIT']
  if (!facts.State.Running) {
    const how = `${facts.State.Status}, exit code ${facts.State.ExitCode}`
    throw await notRunning(host, entry, `${title(entry)} does not run (${how})`, unit)
  }
  const networks = Object.values(facts.NetworkSettings.Networks ?? {})
  return {
    title: title(entry),
    host,
    runtime,
    name,
    environment: Object.fromEntries((facts.Config.Env ?? []).map((line) => split(line, '='))),
    unit,
    hostNetwork: facts.HostConfig.NetworkMode === 'host',
    addresses: networks.flatMap(({ IPAddress }) => (IPAddress === '' ? [] : [IPAddress])),
    aliases: [
      entry.runtime === 'compose' ? entry.service : entry.name,
      ...networks.flatMap(({ Aliases }) => Aliases ?? []),
    ],
    published: publishedBy(facts),
  }
}

/** As messages name it. */
export function title(entry: ContainerEntry): string {
  const what = entry.runtime === 'compose' ? `service ${entry.service}` : `container ${entry.name}`
  return `${entry.host} (${what})`
}

async function inspect(
  host: Host,
  runtime: Container['runtime'],
  name: string,
  entry: ContainerEntry,
): Promise<Facts> {
  const output = await host.read({ nothrow: true })`${runtime} inspect --type container ${name}`
  if (output.exitCode === 0) {
    const [facts] = Inspected.parse(JSON.parse(output.stdout))
    if (facts) return facts
  }
  const said = output.stderr.trim()
  if (output.exitCode === 127) {
    throw new TaskError(`there is no ${runtime} on ${host.name}`, {
      code: exitCode.usage,
      next: `install it there, or correct the container's "runtime" in the inventory`,
    })
  }
  if (!/no such (container|object)/i.test(said)) {
    throw new TaskError(`${runtime} on ${host.name} does not answer ${host.user}: ${said}`, {
      next: runtime === 'docker' ? `on ${host.name}: systemctl start docker` : undefined,
    })
  }
  // A unit that makes its container anew takes it away when it stops.
  const unit = runtime === 'podman' ? await unitFor(host, name) : undefined
  if (unit !== undefined) throw await notRunning(host, entry, `${title(entry)} is not there`, unit)
  const { stdout } = await host.read({ nothrow: true })`${runtime} ps --all --format '{{.Names}}'`
  const names = stdout.split('\n').filter((line) => line !== '')
  throw new TaskError(`${host.user} has no container "${name}" on ${host.name}. ${suggestion(name, names)}`, {
    code: exitCode.usage,
    next: `on ${host.name} as ${host.user}: ${runtime} ps --all`,
  })
}

type ComposeEntry = Extract<ContainerEntry, { runtime: 'compose' }>

async function containerOf(host: Host, entry: ComposeEntry): Promise<string> {
  const { directory, service } = entry
  const file = entry.file ? ['-f', entry.file] : []
  const output = await host.read({
    nothrow: true,
  })`cd 2> /dev/null || :; cd ${fromHome(directory)}; docker compose ${file} ps --all --quiet ${service}`
  const [id] = output.stdout.trim().split('\n')
  if (output.exitCode === 0 && id) return id
  if (output.exitCode === 0)
    throw await notRunning(host, entry, `${title(entry)} was never started`, undefined)
  const said = output.stderr.trim().split('\n').at(-1) ?? ''
  if (!/no such service/i.test(said)) {
    throw new TaskError(`docker compose in ${directory} on ${host.name}: ${said}`, {
      next: `on ${host.name} as ${host.user}: cd ${directory} && docker compose ps`,
    })
  }
  const services = await host.read({
    nothrow: true,
  })`cd 2> /dev/null || :; cd ${fromHome(directory)}; docker compose ${file} config --services`
  throw new TaskError(
    `${directory} on ${host.name} has no service "${service}". ${suggestion(
      service,
      services.stdout.split('\n').filter((line) => line !== ''),
    )}`,
    { code: exitCode.usage },
  )
}

/** Of `podman generate systemd` or of a quadlet. */
async function unitFor(host: Host, name: string): Promise<string | undefined> {
  const output = await host.read({
    nothrow: true,
  })`systemctl ${userManager(host)} list-unit-files --plain --no-legend container-${name}.service ${name}.service`
  return output.stdout.split(/\s/)[0] || undefined
}

/** Flags that lead `systemctl` to the units of somebody's own containers. */
export function userManager(host: Host): string[] {
  return host.user === 'root' ? [] : ['--user']
}

async function notRunning(
  host: Host,
  entry: ContainerEntry,
  what: string,
  unit: string | undefined,
): Promise<TaskError> {
  const start = startCommand(host, entry, unit)
  const lingers = entry.runtime !== 'podman' || host.user === 'root' || (await hasLinger(host))
  if (lingers) return new TaskError(what, { next: `on ${host.name} as ${host.user}: ${start}` })
  return new TaskError(
    `${what}; ${host.user} has no lingering there, so that its containers end with its last login`,
    {
      next: `on ${host.name} as ${host.user}: sudo loginctl enable-linger ${host.user} && ${start}`,
    },
  )
}

async function hasLinger(host: Host): Promise<boolean> {
  const output = await host.read({
    nothrow: true,
  })`loginctl show-user ${host.user} --property=Linger --value`
  return output.stdout.trim() !== 'no'
}

function startCommand(host: Host, entry: ContainerEntry, unit: string | undefined): string {
  if (unit !== undefined) return ['systemctl', ...userManager(host), 'start', unit].join(' ')
  if (entry.runtime !== 'compose') return `${entry.runtime} start ${entry.name}`
  const file = entry.file ? ['-f', entry.file] : []
  return `cd ${entry.directory} && ${['docker', 'compose', ...file, 'up', '-d', entry.service].join(' ')}`
}

function publishedBy({ NetworkSettings: { Ports } }: Facts): Published[] {
  return Object.entries(Ports ?? {}).flatMap(([inside, outside]) =>
    (outside ?? []).map(({ HostIp, HostPort }) => ({
      address: HostIp,
      port: Number(HostPort),
      of: Number.parseInt(inside, 10),
    })),
  )
}

function split(line: string, at: string): [string, string] {
  const index = line.indexOf(at)
  return index === -1 ? [line, ''] : [line.slice(0, index), line.slice(index + 1)]
}

import type { Host } from '../host/host.ts'
import type { Hosts } from '../host/hosts.ts'
import type { App } from '../inventory/inventory.ts'
import { findEnvFile } from './env-file.ts'
import { environmentOf } from './renewal.ts'
import { type NamedServer, serversOf, withServers } from './urls.ts'

/** What an app connects by while it runs: it sees another one only after a restart. */
const running = 'DATABASE_URL'

/** What writes. Other variables may be meant for reading, from a standby. */
const writing = [running, 'DIRECT_URL', 'SHADOW_DATABASE_URL']

/** What an app's env file says about the servers of a cluster. */
export interface ServerUrls {
  host: Host
  /** Absolute. */
  path: string
  text: string
  /** Variables that write, and name a machine that takes no writes. */
  wrong: NamedServer[]
  /** Others that name one. */
  reading: NamedServer[]
  /** Whether a URL leads to a machine of the cluster that is not the primary. */
  isStandby: (server: NamedServer) => boolean
  /** A run that was cut off has changed it, and nobody has restarted the app since. */
  restartDue: boolean
}

/**
 * @param isStandby whether this leads to a machine of the cluster that is not the primary
 * @returns undefined when the app has no env file
 */
export async function readServerUrls(
  hosts: Hosts,
  app: App,
  isStandby: (server: NamedServer) => boolean,
): Promise<ServerUrls | undefined> {
  const file = await findEnvFile(hosts, app)
  const text = await file?.host.readFile(file.path)
  if (!file || text === undefined) return undefined
  const astray = serversOf(text).filter((server) => isStandby(server))
  const due = await file.host.read({ nothrow: true })`test -e ${dueFile(file.path)}`
  return {
    ...file,
    text,
    isStandby,
    wrong: astray.filter(({ variable }) => writing.includes(variable)),
    reading: astray.filter(({ variable }) => !writing.includes(variable)),
    restartDue: due.exitCode === 0,
  }
}

/** Whether the app runs by one of them, and is not only migrated by it. */
export function needsRestart({ wrong, restartDue }: ServerUrls): boolean {
  return restartDue || wrong.some(({ variable }) => variable === running)
}

/** Lets those that are wrong name the primary. What says that a restart is due is there before, and stays. */
export async function writeServerUrls(urls: ServerUrls, primary: string): Promise<void> {
  const { host, path, text, wrong } = urls
  if (needsRestart(urls) && !urls.restartDue) {
    await host.write(dueFile(path), 'hausmeister has changed the file beside this one: restart its app\n')
  }
  const isWrong = (found: NamedServer): boolean =>
    wrong.some((one) => one.variable === found.variable && one.host === found.host && one.port === found.port)
  const after = withServers(text, (found) => (isWrong(found) ? primary : undefined))
  if (after !== text) await host.write(path, after, { secret: true })
}

/**
 * Where an app that was restarted is led astray by its container, which keeps what it was made with. Not by what was
 * wrong in its file: a run that was cut off has mended that.
 */
export async function stillWrong(hosts: Hosts, app: App, { isStandby }: ServerUrls): Promise<NamedServer[]> {
  const value = (await environmentOf(hosts, app))[running]
  return value === undefined ? [] : serversOf(`${running}=${value}`).filter((server) => isStandby(server))
}

export async function forgetRestart({ host, path }: ServerUrls): Promise<void> {
  await host.change`rm -f -- ${dueFile(path)}`
}

function dueFile(path: string): string {
  return `${path}.hausmeister-restart`
}

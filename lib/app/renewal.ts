import { type Container, findContainer, userManager } from '../container/container.ts'
import type { Hosts } from '../host/hosts.ts'
import type { App, ContainerEntry } from '../inventory/inventory.ts'
import { TaskError } from '../task/errors.ts'
import { passwordsOf } from './urls.ts'

/** A password that an app is about to lose. */
export interface Passing {
  role: string
  /** The old one, and the next one: a run that was cut off may have come so far. */
  passwords: readonly string[]
}

/**
 * How an app's container comes by another password. Its environment was fixed when it was made: a restart reads no
 * `--env-file` again, only its unit does, which makes it anew.
 *
 * @param envFile where the new password will stand
 * @returns the unit to restart; undefined: a restart is enough, as the app reads its settings itself
 * @throws TaskError when nobody but its owner can make it anew
 */
export async function unitToRestart(
  hosts: Hosts,
  name: string,
  app: App,
  envFile: string | undefined,
  passing: Passing,
): Promise<string | undefined> {
  if (app.runtime !== 'podman') return undefined
  const container = await findContainer(hosts, { runtime: 'podman', host: app.host, name: app.container })
  if (!holds(container, passing)) return undefined
  const { host, unit } = container
  const why = `app ${name} has the password in the environment that its container ${app.container} was made with, which a restart keeps`
  const nothing = 'nothing was changed'
  if (unit === undefined) {
    throw new TaskError(
      `${why}; no unit makes it anew, and with which flags it was run is known to you only`,
      {
        next: `on ${host.name} as ${host.user}: podman generate systemd --new --files --name ${app.container}, with --env-file ${envFile ?? 'FILE'} in it, and enable that unit; ${nothing}`,
      },
    )
  }
  const start = await host.read`systemctl ${userManager(host)} show --property=ExecStart --value ${unit}`
  const words = start.stdout.split(/\s+/)
  const isOwn = words.some((word) => isPassword(word.slice(word.indexOf('=') + 1), passing))
  const takesFile =
    envFile !== undefined && words.some((word) => word.replace(/^--env-file=/, '') === envFile)
  if (isOwn || !takesFile) {
    const what = isOwn
      ? 'has the password in its own command line'
      : `does not take it from ${envFile ?? 'an envFile of the inventory'}`
    throw new TaskError(`${why}; its unit ${unit} makes it anew, but ${what}`, {
      next: `let ${unit} on ${host.name} have --env-file with the file that "envFile" of the app names, and no password; ${nothing}`,
    })
  }
  return unit
}

/** What makes an app's container anew, where it is one of podman's that has such a unit. */
export async function unitOf(hosts: Hosts, app: App): Promise<string | undefined> {
  const entry = app.runtime === 'podman' ? containerOf(app) : undefined
  return entry && (await findContainer(hosts, entry)).unit
}

/** With which variables an app's container was made; none where it is no container. */
export async function environmentOf(hosts: Hosts, app: App): Promise<Record<string, string>> {
  const entry = containerOf(app)
  return entry ? (await findContainer(hosts, entry)).environment : {}
}

/** @throws TaskError when a container has been made with the old password again */
export async function proveRenewed(hosts: Hosts, name: string, app: App, role: string, old: string) {
  const entry = containerOf(app)
  if (!entry) return
  const container = await findContainer(hosts, entry)
  if (!holds(container, { role, passwords: [old] })) return
  throw new TaskError(`app ${name} was started with the old password again: ${container.title}`, {
    next: `look where else it stands: in the compose file, or in "environment" of its unit`,
  })
}

function containerOf(app: App): ContainerEntry | undefined {
  const { host } = app
  if (app.runtime === 'podman') return { runtime: 'podman', host, name: app.container }
  if (app.runtime !== 'compose') return undefined
  const { directory, file, service } = app
  return { runtime: 'compose', host, directory, service, ...(file ? { file } : {}) }
}

function holds({ environment }: Container, passing: Passing): boolean {
  return Object.values(environment).some((value) => isPassword(value, passing))
}

function isPassword(value: string, { role, passwords }: Passing): boolean {
  return passwords.some((one) => value === one || passwordsOf(value, role).includes(one))
}

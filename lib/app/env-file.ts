import type { Host } from '../host/host.ts'
import type { Hosts } from '../host/hosts.ts'
import type { App } from '../inventory/inventory.ts'

/** Absolute, or relative to the home of whoever logs in. */
export function envFilePath(app: App): string | undefined {
  if (!app.envFile) return undefined
  const directory = 'directory' in app ? app.directory : '.'
  const path = /^(\/|~\/)/.test(app.envFile) ? app.envFile : `${directory}/${app.envFile}`
  return path.replace(/^~\//, '')
}

/**
 * What stands in the file on the machine that an app reads its settings from. There are secrets in it.
 * @returns undefined when the inventory names no such file, or there is none
 */
export async function readEnvFile(hosts: Hosts, app: App): Promise<Record<string, string> | undefined> {
  const file = await whereOf(hosts, app)
  const text = await file?.host.readFile(file.path)
  if (text === undefined) return undefined
  const { parse } = await import('dotenv')
  return parse(text)
}

/**
 * The same file as root, who may change it, by its full path.
 * @returns undefined when the inventory names no such file, or there is none
 */
export async function findEnvFile(hosts: Hosts, app: App): Promise<{ host: Host; path: string } | undefined> {
  const file = await whereOf(hosts, app)
  if (!file) return undefined
  const { stdout } = await file.host.read({ nothrow: true })`readlink -e -- ${file.path}`
  const path = stdout.trim()
  return path === '' ? undefined : { host: file.host.as('root'), path }
}

async function whereOf(hosts: Hosts, app: App): Promise<{ host: Host; path: string } | undefined> {
  const path = envFilePath(app)
  if (path === undefined) return undefined
  const login = await hosts.get(app.host)
  return { host: app.runtime === 'command' && app.user ? login.as(app.user) : login, path }
}

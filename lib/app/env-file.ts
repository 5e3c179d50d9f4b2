import type { Hosts } from '../host/hosts.ts'
import type { App } from '../inventory/inventory.ts'

/**
 * What stands in the file on the machine that an app reads its settings from. There are secrets in it.
 * @returns undefined when the inventory names no such file, or there is none
 */
export async function readEnvFile(hosts: Hosts, app: App): Promise<Record<string, string> | undefined> {
  if (!app.envFile) return undefined
  const login = await hosts.get(app.host)
  const host = app.runtime === 'command' && app.user ? login.as(app.user) : login
  const directory = 'directory' in app ? app.directory : '.'
  const path = app.envFile.startsWith('/') ? app.envFile : `${directory}/${app.envFile}`
  const text = await host.readFile(path.replace(/^~\//, ''))
  if (text === undefined) return undefined
  const { parse } = await import('dotenv')
  return parse(text)
}

import type { Host } from '../host/host.ts'

/** Members of the group docker need no sudo for it. */
export async function dockerUser(login: Host): Promise<Host> {
  const groups = await login.read`id -nG`.text()
  return groups.trim().split(' ').includes('docker') ? login : login.as('root')
}

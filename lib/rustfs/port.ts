import { TaskError } from '../task/errors.ts'
import type { Server } from './server.ts'

/**
 * Where ss is not installed the runtime will say it.
 * @throws TaskError that names who listens there
 */
export async function checkPort({ host, address, port }: Server): Promise<void> {
  const { stdout } = await host.read({ nothrow: true })`ss -Hltnp ${`sport = :${port}`} 2> /dev/null`
  for (const line of stdout.split('\n')) {
    const [, , , local = '', , ...users] = line.trim().split(/\s+/)
    const on = local.slice(0, local.lastIndexOf(':')).replace(/%.*$/, '')
    if (!['0.0.0.0', '*', '[::]', address].includes(on)) continue
    const [, program] = /\(\("([^"]+)"/.exec(users.join(' ')) ?? []
    throw new TaskError(
      `port ${port} of ${host.name} is taken${program === undefined ? '' : ` by ${program}`}: it listens on ${local}`,
      { next: 'give the store another port: backup.store.endpoint in the inventory' },
    )
  }
}

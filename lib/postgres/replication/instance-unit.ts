import { errorBehind, HostError } from '../../host/errors.ts'
import { TaskError } from '../../task/errors.ts'
import type { InstancePlace } from './instance-place.ts'

/**
 * Returns when the server takes connections.
 * @throws TaskError with its last words, when it has failed to start
 */
export async function startInstance(instance: InstancePlace): Promise<void> {
  const { host, unit } = instance
  try {
    await host.as('root').change`systemctl start ${unit}`
  } catch (error) {
    if (errorBehind(error, HostError)) throw error
    throw new TaskError(`${unit} on ${host.name} does not start`, {
      seen: await lastLogLines(instance),
      next: `journalctl -b -u ${unit}   # on ${host.name}`,
      cause: error,
    })
  }
}

/**
 * A fast stop: sessions end, a last checkpoint is written, and standbys are sent all of it.
 * @param timeout milliseconds; a stop that waits for a standby that is gone takes as long as `wal_sender_timeout`
 */
export async function stopInstance({ host, unit }: InstancePlace, timeout: number): Promise<void> {
  await host.as('root').change({ timeout })`systemctl stop ${unit}`
}

export async function startAtBoot({ host, unit }: InstancePlace): Promise<void> {
  await host.as('root').change`systemctl --quiet enable postgresql ${unit}`
}

/** The last lines of the server's log, for an error. */
export async function lastLogLines({ host, version }: InstancePlace): Promise<string> {
  const { stdout } = await host.as('root').read({
    nothrow: true,
  })`tail -n 8 ${`/var/log/postgresql/postgresql-${version}-main.log`}`
  return stdout.trimEnd()
}

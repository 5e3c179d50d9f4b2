import type { Host } from '../host/host.ts'
import type { PoolerEntry } from '../inventory/inventory.ts'

/** One pgbouncer: a service of its machine, or of a compose file. */
export interface Pooler {
  /** How messages name it: `pgbouncer on vm-app (service pgbouncer)`. */
  readonly name: string
  readonly entry: PoolerEntry
  /** The machine, as the inventory calls it. */
  readonly hostName: string
  /** As root, who may read and write its files. */
  readonly files: Host
  /** As somebody who may start it and send it signals. */
  readonly control: Host
  /** Its /etc/pgbouncer, on the machine. */
  readonly directory: string
  /** `1.24`; undefined where it is not installed. */
  version(): Promise<string | undefined>
  install(): Promise<void>
  isRunning(): Promise<boolean>
  isEnabled(): Promise<boolean>
  /** Now, and after each boot. */
  start(): Promise<void>
  /** What else has its port; undefined when nothing has. */
  portTakenBy(): Promise<string | undefined>
  /** Drops its clients. */
  restart(): Promise<void>
  /** The command that sends it a signal, whose name is to be added. @throws TaskError when it would not arrive */
  signal(): Promise<string[]>
  /** What it has logged since a time of its machine's clock, in seconds. */
  log(since: number): Promise<string>
  /** Where its own machine reaches it now, which may be elsewhere than the inventory says. */
  listens(): Promise<{ address: string; port: number }>
  /** Whom its files belong to, as `uid:gid`. */
  owner(): Promise<string>
}

/** Reads its files again, and drops nobody. */
export async function reloadPooler(pooler: Pooler): Promise<void> {
  const words = await pooler.signal()
  await pooler.control.change({ shown: { command: `reload ${pooler.name}` } })`${words} HUP`
}

/** `PgBouncer 1.24.1` → `1.24` */
export function versionIn(text: string): string | undefined {
  return /PgBouncer (\d+\.\d+)/.exec(text)?.[1]
}

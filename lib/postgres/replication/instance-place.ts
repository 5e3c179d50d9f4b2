import type { Host } from '../../host/host.ts'

/** The cluster `main` of one version on a machine, where Debian's postgresql-common puts it. */
export interface InstancePlace {
  readonly host: Host
  readonly version: number
  readonly unit: string
  readonly data: string
  readonly bin: string
  /** The password of the replication role, for this machine as a standby. */
  readonly passfile: string
}

export function instanceOn(host: Host, version: number): InstancePlace {
  const data = `/var/lib/postgresql/${version}/main`
  return {
    host,
    version,
    unit: `postgresql@${version}-main`,
    data,
    bin: `/usr/lib/postgresql/${version}/bin`,
    passfile: `${data}.pgpass`,
  }
}

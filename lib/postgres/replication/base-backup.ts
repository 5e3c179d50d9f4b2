import type { ProcessPromise } from 'zx/core'

import type { Following } from './auto-conf.ts'
import type { InstancePlace } from './instance-place.ts'

/**
 * Copies the primary into a folder beside the data, so that whatever is cut off leaves nothing that could be
 * taken for a database. Its output tells how far it is.
 */
export function baseBackup({ host, data, bin }: InstancePlace, following: Following): ProcessPromise {
  // Progress goes to stderr.
  return host.as('postgres').change`
    cd /
    rm -rf -- ${data}.building
    exec ${bin}/pg_basebackup -d ${following.conninfo} -D ${data}.building -c fast -X stream -S ${following.slot} -R -w --progress 2>&1`
}

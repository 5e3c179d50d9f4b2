import { expect } from 'vitest'

import type { Lab } from '../lab.ts'
import type { Stage } from './stage.ts'

/** `\restrict` has a new token in every dump. */
const script = `set -euo pipefail
cd /
runuser -u postgres -- psql -X -At -v ON_ERROR_STOP=1 <<'SQL'
select oid, datname, datallowconn, datconnlimit, shobj_description(oid, 'pg_database') from pg_database order by oid;
SQL
runuser -u postgres -- pg_dumpall | grep -v -e '^.restrict ' -e '^.unrestrict '`

/**
 * All that a run could change on the primary, to be compared: each database with its number, door and comment,
 * the roles, and every row of every open database.
 */
export async function serverState(lab: Lab): Promise<string> {
  const { stdout } = await lab.sh('pg-primary', script)
  return stdout
}

/** What a refused run has to leave as it is: the old database, open under its name with all its rows, and nothing beside it. */
export async function stateToKeep(lab: Lab, stage: Stage): Promise<string> {
  expect(await stage.databases()).toEqual([expect.objectContaining({ name: 'weltenwind', open: true })])
  expect(await stage.whereOldDataIs()).toBe('weltenwind')
  return serverState(lab)
}

/** The server is as it was, and no machine has a process left. */
export async function expectUntouched(lab: Lab, stage: Stage, before: string): Promise<void> {
  const hosts = ['pve', 'pg-primary', 'pg-replica', 'vm-proxy', 'vm-app']
  const [after, ...left] = await Promise.all([
    serverState(lab),
    ...hosts.map(async (host) => (await stage.leftovers(host)).map((line) => `${host}: ${line}`)),
  ])
  expect(after).toBe(before)
  expect(left.flat()).toEqual([])
}

import type { ClusterStatus } from './survey.ts'

/** What `--json` says of a cluster; described in docs/json-events.md. */
export function statusData({ cluster, servers, silent, databases }: ClusterStatus, warnings: string[]) {
  return {
    cluster,
    servers: servers.map(({ databases: all, ages, ...server }) => ({
      ...server,
      databases: all.map(({ name, bytes, owner, allowsConnections }) => ({
        name,
        owner,
        bytes,
        allowsConnections,
        age: ages.find(({ database }) => database === name)?.age ?? null,
      })),
    })),
    silent: silent.map(({ name, reason }) => ({ name, reason })),
    databases: databases.map(({ kept, unfinished, failed, ...database }) => ({
      ...database,
      kept: kept.map(({ kind, time, facts }) => ({ name: facts.name, kind, time, bytes: facts.bytes })),
      unfinishedReset: unfinished?.state ?? null,
      failed: failed.map(({ name, log }) => ({ name, log })),
    })),
    warnings,
  }
}

import type { Estate } from '../../inventory/estate.ts'
import type { ProxmoxBackup, ProxmoxCluster } from '../../inventory/inventory.ts'
import type { SecretRef } from '../../inventory/secrets.ts'

/** A cluster that the inventory has a backup server for. */
export interface BackedCluster {
  name: string
  cluster: ProxmoxCluster
  entry: ProxmoxBackup
}

export function backedClusters({ proxmox }: Estate): BackedCluster[] {
  return Object.entries(proxmox).flatMap(([name, cluster]) =>
    cluster.backup ? [{ name, cluster, entry: cluster.backup }] : [],
  )
}

export function apiSecrets(clusters: readonly BackedCluster[]): SecretRef[] {
  return clusters.flatMap(({ cluster, entry }) => [cluster.token, entry.token])
}

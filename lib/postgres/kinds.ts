import type { MachineCluster, PostgresCluster } from '../inventory/inventory.ts'
import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'

/** Why a task that works on the machines of a cluster has nothing to do for the other kinds. */
export interface Otherwise {
  managed: string
  container: string
}

/** @throws TaskError in one line, for a cluster that is none of machines of ours */
export function machinesOnly(name: string, cluster: PostgresCluster, why: Otherwise): MachineCluster {
  if ('hosts' in cluster) return cluster
  const text =
    'url' in cluster ? `is a managed server: ${why.managed}` : `runs in a container: ${why.container}`
  throw new TaskError(`${name} ${text}`, { code: exitCode.usage })
}

import { readSnapshots } from '../../pbs/datastore.ts'
import { startOf } from '../../pve/tasks.ts'
import { size } from '../../task/size.ts'
import type { StartedRun } from './start.ts'
import type { Survey } from './survey.ts'

export interface Proof {
  /** `vm-app (14.2 GB)` */
  found: string[]
  /** Guests without a whole backup that is as young as the run. */
  missing: string[]
}

/** Looks into the datastore for what the runs have made: a task that ended well is not taken for it. */
export async function proofOf({ server, entry }: Survey, runs: readonly StartedRun[]): Promise<Proof> {
  const snapshots = await readSnapshots(server, entry)
  const proof: Proof = { found: [], missing: [] }
  for (const { guests, running } of runs) {
    for (const { vmid, name, type } of guests) {
      // Both by the clock of the node.
      const made = snapshots.findLast(
        (one) =>
          one.vmid === vmid &&
          one.type === (type === 'qemu' ? 'vm' : 'ct') &&
          one.bytes !== undefined &&
          one.time >= startOf(running),
      )
      if (made?.bytes === undefined) proof.missing.push(`${name} (${vmid})`)
      else proof.found.push(`${name} (${size(made.bytes)})`)
    }
  }
  return proof
}

import type { Store } from '../s3/store.ts'
import { operator } from '../task/operator.ts'
import { clock } from './clock.ts'
import { evidenceFolder, stampOf } from './layout.ts'
import type { Evidence } from './manifest.ts'

/** Records what came of a restore beside the backup. It is written once, and never again. */
export async function writeEvidence(
  store: Pick<Store, 'writeText'>,
  at: string,
  found: Pick<Evidence, 'restoreMs' | 'on' | 'outcome' | 'findings'>,
): Promise<void> {
  const now = clock.now()
  const evidence: Evidence = { format: 1, by: operator(), at: now.toISOString(), ...found }
  await store.writeText(
    `${at}${evidenceFolder}${stampOf(now)}.json`,
    `${JSON.stringify(evidence, undefined, 2)}\n`,
  )
}

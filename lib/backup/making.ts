import type { Attempt, Holder } from '../host/lock.ts'
import type { Store } from '../s3/store.ts'
import { operator } from '../task/operator.ts'
import type { Session, StepHandle } from '../task/session.ts'
import type { Begun } from './begin.ts'
import { clock } from './clock.ts'
import { describeProgress } from './describe.ts'
import { manifestName } from './layout.ts'
import { type CommonManifest, type Manifest, manifestText, type Part } from './manifest.ts'
import { type Progress, provePart } from './part.ts'
import { backupOf } from './target.ts'

/** No two backups of one thing at a time. A lock that is lost stops nothing: what was dumped over there ends, too. */
export async function alone(
  session: Session<unknown>,
  name: string,
  take: (title: string, holder: Holder) => Promise<Attempt>,
  work: () => Promise<void>,
): Promise<void> {
  const title = `backup/${name}`
  const release = await session.lock(
    title,
    (holder) => take(title, holder),
    () => {},
  )
  try {
    await work()
  } finally {
    await release().catch(() => {})
  }
}

/** Nothing counts as a backup before it was read back. */
export async function finish(
  session: Session<unknown>,
  store: Store,
  { at, begun, name }: Begun & { name: string },
  parts: Part[],
  manifest: (common: CommonManifest) => Manifest,
): Promise<void> {
  await session.prove(`Read ${name} back from the store`, async (step) => {
    for (const part of parts) await provePart(store, at, part)
    step.detail = `${parts.length === 1 ? 'its SHA-256 is' : 'their SHA-256 are'} those of what was sent`
  })
  await session.step(
    `Write the manifest of ${name}`,
    () =>
      store.writeText(
        `${at}${manifestName}`,
        manifestText(
          manifest({
            format: 1,
            estate: session.estate.name,
            by: operator(),
            begun: begun.toISOString(),
            ended: clock.now().toISOString(),
            taken: begun.toISOString(),
            recipients: backupOf(session.estate).recipients,
            parts,
          }),
        ),
      ),
    async (_, step) => {
      step.detail = at
    },
  )
}

/** Tells how far a part has come. */
export function progressOf(
  session: Session<unknown>,
  step: StepHandle,
  whole: number | undefined,
): (progress: Progress) => void {
  const start = performance.now()
  return (progress) => session.progress(step, describeProgress(progress, performance.now() - start, whole))
}

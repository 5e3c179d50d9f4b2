import type { Estate } from '../inventory/estate.ts'
import type { Store, StoredObject } from '../s3/store.ts'
import { assertProof, type Proof } from '../task/confirm.ts'
import { TaskError } from '../task/errors.ts'
import { size } from '../task/size.ts'
import { estatePrefix, timeOf } from './layout.ts'
import { subjectsOf } from './subject.ts'
import { backupOf } from './target.ts'

/** What is taken away from a store. */
export type Shelf = Pick<
  Store,
  'name' | 'list' | 'versions' | 'removeVersion' | 'openUploads' | 'abortUpload'
>

/** What speaks against destroying the backups of an estate with these flags. */
export function destroyProblems(
  estate: Estate,
  { destroyData, confirm }: { destroyData: boolean; confirm?: string | undefined },
): string[] {
  if (!destroyData) return confirm === undefined ? [] : ['--confirm is for --destroy-data']
  if (confirm !== undefined) {
    return confirm === estate.name ? [] : [`--confirm ${confirm} does not name the estate ${estate.name}`]
  }
  const isProduction = subjectsOf(estate, backupOf(estate)).some((subject) => {
    if (subject.kind === 'folder') return false
    const { databases } =
      subject.kind === 'mongo' ? estate.mongoCluster(subject.cluster) : estate.cluster(subject.cluster)
    return databases[subject.database]?.environment === 'production'
  })
  return isProduction
    ? [`${estate.name} has backups of a production database; if you mean it: --confirm ${estate.name}`]
    : []
}

/** What would be gone: a line for each thing that is backed up. */
export function describeBackups(estate: string, objects: readonly StoredObject[]): string[] {
  const all = new Map<string, { stamps: Set<string>; bytes: number }>()
  for (const { key, bytes } of objects) {
    const words = key.slice(estatePrefix(estate).length).split('/')
    const at = words.findIndex((word) => timeOf(word))
    const name = decodeURIComponent((at === -1 ? words : words.slice(0, at)).join('/'))
    const found = all.get(name) ?? { stamps: new Set(), bytes: 0 }
    if (at !== -1) found.stamps.add(words[at] ?? '')
    all.set(name, { ...found, bytes: found.bytes + bytes })
  }
  return [...all].map(([name, { stamps, bytes }]) => {
    const times = [...stamps].toSorted()
    const [first] = times
    if (first === undefined) return `${name}: ${size(bytes)}`
    const many =
      times.length === 1 ? `1 backup, ${first}` : `${times.length} backups, ${first} to ${times.at(-1)}`
    return `${name}: ${many}, ${size(bytes)}`
  })
}

/** Deletes all that is and was below the estate's own prefix; the bucket and what is of others stay. */
export async function destroyBackups(
  store: Shelf,
  estate: string,
  proof: Proof,
  dryRun: boolean,
): Promise<void> {
  assertProof(proof, estate)
  const prefix = estatePrefix(estate)
  for (const upload of await store.openUploads(prefix)) await store.abortUpload(upload)
  for (;;) {
    const versions = await store.versions(prefix)
    for (const version of versions) await store.removeVersion(version)
    if (versions.length === 0 || dryRun) return
  }
}

/** @throws TaskError when something is still there: a backup that was at work meanwhile */
export async function proveDestroyed(store: Shelf, estate: string): Promise<void> {
  const [left] = await store.list(estatePrefix(estate))
  if (left) throw new TaskError(`${store.name} has ${left.key} again: a backup is at work`)
}

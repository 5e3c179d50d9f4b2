import type { Estate } from '../inventory/estate.ts'
import type { Store, StoredObject } from '../s3/store.ts'
import { evidenceFolder, manifestName, prefixOf, timeOf } from './layout.ts'
import { Evidence, Manifest } from './manifest.ts'
import { nameOf, type Subject } from './subject.ts'

/**
 * What stands in the store for one run of a backup. Only a `whole` one may be restored:
 * - whole: its manifest is there, and every object of it has the size that the manifest says
 * - incomplete: no manifest; a run that was cut off, or is still going on
 * - damaged: something that its manifest names is not there as it says; or it was restored once, and has no manifest
 */
export interface Backup {
  subject: Subject
  /** The name of its folder. */
  id: string
  /** The folder's key, with its `/`. */
  prefix: string
  begun: Date
  state: 'whole' | 'incomplete' | 'damaged'
  /** What is wrong with it. */
  why: string | undefined
  manifest: Manifest | undefined
  /** Every restore that was tried, in order of time. */
  evidence: Evidence[]
  objects: StoredObject[]
}

/** What reading needs of a store. */
export type Shelf = Pick<Store, 'list' | 'readText'>

/** All backups of a subject, the oldest first. */
export async function readBackups(store: Shelf, estate: Estate, subject: Subject): Promise<Backup[]> {
  const prefix = prefixOf(estate.name, subject)
  const folders = new Map<string, StoredObject[]>()
  for (const object of await store.list(prefix)) {
    const id = object.key.slice(prefix.length).split('/')[0] ?? ''
    if (timeOf(id)) folders.set(id, [...(folders.get(id) ?? []), object])
  }
  return Promise.all(
    [...folders]
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([id, objects]) => readBackup(store, subject, { id, prefix: `${prefix}${id}/`, objects })),
  )
}

async function readBackup(
  store: Shelf,
  subject: Subject,
  { id, prefix, objects }: Pick<Backup, 'id' | 'prefix' | 'objects'>,
): Promise<Backup> {
  const begun = timeOf(id) ?? new Date(0)
  const evidence = await readEvidence(store, `${prefix}${evidenceFolder}`, objects)
  const found = { subject, id, prefix, begun, evidence, objects }
  if (!objects.some(({ key }) => key === `${prefix}${manifestName}`)) {
    // Nobody restores what is not whole: this one was.
    if (evidence.length > 0) {
      return { ...found, state: 'damaged', why: 'its manifest is not there any more', manifest: undefined }
    }
    return { ...found, state: 'incomplete', why: 'it has no manifest', manifest: undefined }
  }
  const manifest = parsed(Manifest, await store.readText(`${prefix}${manifestName}`))
  if (!manifest) {
    return { ...found, state: 'damaged', why: 'its manifest cannot be read', manifest: undefined }
  }
  const why = misplaced(manifest, subject) ?? missing(manifest, prefix, objects)
  return { ...found, state: why === undefined ? 'whole' : 'damaged', why, manifest }
}

function misplaced(manifest: Manifest, subject: Subject): string | undefined {
  const name = nameOf(manifest)
  return name === nameOf(subject) ? undefined : `its manifest is that of ${name}`
}

function missing(manifest: Manifest, prefix: string, objects: StoredObject[]): string | undefined {
  for (const { name, bytes } of manifest.parts) {
    const object = objects.find(({ key }) => key === `${prefix}${name}`)
    if (!object) return `${name} is not there`
    if (object.bytes !== bytes) return `${name} has ${object.bytes} bytes, and its manifest says ${bytes}`
  }
  return undefined
}

async function readEvidence(store: Shelf, folder: string, objects: StoredObject[]): Promise<Evidence[]> {
  const keys = objects.flatMap(({ key }) => (key.startsWith(folder) ? [key] : []))
  const texts = await Promise.all(keys.map((key) => store.readText(key)))
  // What cannot be read proves nothing.
  return texts.flatMap((text) => parsed(Evidence, text) ?? []).toSorted((a, b) => (a.at < b.at ? -1 : 1))
}

function parsed<T>(
  type: { safeParse(value: unknown): { success: true; data: T } | { success: false } },
  text: string | undefined,
): T | undefined {
  try {
    const result = type.safeParse(JSON.parse(text ?? ''))
    return result.success ? result.data : undefined
  } catch {
    return undefined
  }
}

/** When it was last restored and found good; undefined when its last restore was bad, or there was none. */
export function verifiedAt({ evidence }: Backup): Date | undefined {
  const last = evidence.at(-1)
  return last?.outcome === 'good' ? new Date(last.at) : undefined
}

/** A restore of it failed, and none has worked since. */
export function isBad({ evidence }: Backup): boolean {
  return evidence.at(-1)?.outcome === 'bad'
}

/** All that one can say of a backup in a word; a `whole` one was never restored. */
export type Standing = 'verified' | 'whole' | 'bad' | 'damaged' | 'incomplete'

export function standingOf(backup: Backup): Standing {
  if (backup.state !== 'whole') return backup.state
  if (isBad(backup)) return 'bad'
  return verifiedAt(backup) ? 'verified' : 'whole'
}

/** What it takes in the store. */
export function bytesOf({ objects }: Backup): number {
  return objects.reduce((sum, { bytes }) => sum + bytes, 0)
}

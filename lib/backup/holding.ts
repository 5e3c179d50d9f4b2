import type { Estate } from '../inventory/estate.ts'
import type { OpenUpload } from '../s3/open-uploads.ts'
import type { Store } from '../s3/store.ts'
import { type Backup, readBackups, type Shelf, standingOf } from './backups.ts'
import type { Candidate } from './keep.ts'
import { estatePrefix, evidenceFolder, prefixOf, subjectAt } from './layout.ts'
import { nameOf, type Subject } from './subject.ts'

/** An upload that nobody has ended. */
export interface Upload extends OpenUpload {
  /** The folder of the backup that it belongs to. */
  backup: string
  /** When something of it came last, by the store's clock. */
  active: Date
}

/** All that is in the store of one subject. */
export interface Holding {
  subject: Subject
  /** The oldest first. */
  backups: Backup[]
  uploads: Upload[]
}

/** What reading a holding needs of a store. */
export type Stock = Shelf & Pick<Store, 'openUploads' | 'lastPart'>

export async function readHolding(store: Stock, estate: Estate, subject: Subject): Promise<Holding> {
  const prefix = prefixOf(estate.name, subject)
  // Uploads first: one that ends in between is then seen as the object that it became.
  const open = await store.openUploads(prefix)
  const uploads = await Promise.all(
    open.map(async (upload) => ({
      ...upload,
      backup: upload.key.slice(prefix.length).split('/')[0] ?? '',
      active: (await store.lastPart(upload)) ?? upload.since,
    })),
  )
  return { subject, backups: await readBackups(store, estate, subject), uploads }
}

/** What the store has of this estate, and the inventory does not have backed up any more. */
export async function strangersIn(
  store: Shelf,
  estate: Estate,
  wanted: readonly Subject[],
): Promise<Subject[]> {
  const known = new Set(wanted.map((subject) => nameOf(subject)))
  const found = new Map<string, Subject>()
  for (const { key } of await store.list(estatePrefix(estate.name))) {
    const subject = subjectAt(estate.name, key)
    if (subject && !known.has(nameOf(subject))) found.set(nameOf(subject), subject)
  }
  return [...found.values()]
}

/** The same backups, as the policy sees them. */
export function candidatesOf({ backups, uploads }: Holding): (Candidate & { of: Backup })[] {
  return backups.map((backup) => {
    const { id, begun, objects, prefix } = backup
    const times = [
      // Evidence comes later, and makes nothing younger.
      ...objects.flatMap(({ key, modified }) =>
        key.startsWith(`${prefix}${evidenceFolder}`) ? [] : [modified.getTime()],
      ),
      ...uploads.flatMap((upload) => (upload.backup === id ? [upload.active.getTime()] : [])),
    ]
    return { id, begun, stored: new Date(Math.max(0, ...times)), standing: standingOf(backup), of: backup }
  })
}

import { EstateError } from '../inventory/errors.ts'
import type { Estate } from '../inventory/estate.ts'
import type { BackupEntry } from '../inventory/inventory.ts'

export interface DatabaseSubject {
  kind: 'postgres'
  cluster: string
  database: string
}

export interface FolderSubject {
  kind: 'folder'
  host: string
  path: string
}

/** One thing that is backed up. */
export type Subject = DatabaseSubject | FolderSubject

/** All that the inventory wants backed up. */
export function subjectsOf(estate: Estate, backup: BackupEntry): Subject[] {
  const found = backup.databases?.map((name) => estate.findDatabase(name)) ?? estate.databases()
  return [
    ...found.map(({ clusterName, name }): Subject => ({
      kind: 'postgres',
      cluster: clusterName,
      database: name,
    })),
    ...backup.folders.map(({ host, path }): Subject => ({ kind: 'folder', host, path })),
  ]
}

/** How people call it: `main/weltenwind`, `vm-app:/srv/weltenwind/uploads`. */
export function nameOf(subject: Subject): string {
  switch (subject.kind) {
    case 'postgres':
      return `${subject.cluster}/${subject.database}`
    case 'folder':
      return `${subject.host}:${subject.path}`
  }
}

/** A folder by its name. @throws EstateError */
export function parseFolder(name: string): FolderSubject {
  const [, host, path] = /^([^:]+):(\/.*)$/.exec(name) ?? []
  if (host !== undefined && path !== undefined) return { kind: 'folder', host, path }
  throw new EstateError(`"${name}" names no folder`, 'Write it as HOST:/PATH, such as vm-app:/srv/uploads')
}

/** What a flag or an argument names. */
export function isNamed(subject: Subject, name: string): boolean {
  return nameOf(subject) === name || (subject.kind === 'postgres' && subject.database === name)
}

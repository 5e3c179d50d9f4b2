import { EstateError } from '../inventory/errors.ts'
import type { Estate } from '../inventory/estate.ts'
import type { BackupEntry } from '../inventory/inventory.ts'

export interface DatabaseSubject {
  kind: 'postgres'
  cluster: string
  database: string
}

export interface MongoSubject {
  kind: 'mongo'
  /** A replica set or a single server, as the inventory calls it. */
  cluster: string
  database: string
}

export interface FolderSubject {
  kind: 'folder'
  host: string
  path: string
}

/** One thing that is backed up. */
export type Subject = DatabaseSubject | MongoSubject | FolderSubject

/** All databases of the inventory, in its order. */
export function databasesOf(estate: Estate): (DatabaseSubject | MongoSubject)[] {
  return [
    ...estate.databases().map(({ clusterName: cluster, name: database }) => ({
      kind: 'postgres' as const,
      cluster,
      database,
    })),
    ...estate.mongoDatabases().map(({ clusterName: cluster, name: database }) => ({
      kind: 'mongo' as const,
      cluster,
      database,
    })),
  ]
}

/** All that the inventory wants backed up. */
export function subjectsOf(estate: Estate, backup: BackupEntry): Subject[] {
  const all = databasesOf(estate)
  // The inventory was checked: each name is one database's.
  const wanted = backup.databases?.flatMap((name) => all.filter((subject) => isNamed(subject, name)))
  return [
    ...(wanted ?? all),
    ...backup.folders.map(({ host, path }): Subject => ({ kind: 'folder', host, path })),
  ]
}

/** How people call it: `main/weltenwind`, `rs0/webapp`, `vm-app:/srv/weltenwind/uploads`. */
export function nameOf(subject: Subject): string {
  switch (subject.kind) {
    case 'postgres':
    case 'mongo':
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
  return nameOf(subject) === name || ('database' in subject && subject.database === name)
}

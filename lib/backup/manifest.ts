import * as z from 'zod'

import { Collections } from '../mongo/collections.ts'
import { Role } from '../mongo/standing.ts'
import { Properties } from '../postgres/dump/properties.ts'

const Time = z.iso.datetime()
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** One object of a backup. */
export const Part = z.object({
  /** Relative to the backup's folder. */
  name: z.string(),
  /** As it is stored. */
  bytes: z.int(),
  sha256: Sha256,
  /** Before it was encrypted. */
  plain: z.object({ bytes: z.int(), sha256: Sha256 }),
})
export type Part = z.infer<typeof Part>

/** Rows of each table, `public.worlds`, as the dump's own snapshot has them. */
export const Tables = z.record(z.string(), z.int())
export type Tables = z.infer<typeof Tables>

export const Migrations = z.object({
  applied: z.array(z.string()),
  failed: z.array(z.string()),
})

const common = {
  format: z.literal(1),
  estate: z.string(),
  /** By whom, as the journal calls them: `ops@desk`. */
  by: z.string(),
  begun: Time,
  ended: Time,
  /** The moment whose state it holds. */
  taken: Time,
  /** age recipients it was encrypted for. */
  recipients: z.array(z.string()),
  parts: z.array(Part).min(1),
}

const CommonManifest = z.object(common)
export type CommonManifest = z.infer<typeof CommonManifest>

export const PostgresManifest = z.object({
  kind: z.literal('postgres'),
  cluster: z.string(),
  database: z.string(),
  owner: z.string(),
  /** Who owns something in it, and what it is beside its content. The oldest manifests do not say. */
  owners: z.array(z.string()).optional(),
  properties: Properties.optional(),
  /** Who was dumped. `behind` in bytes of WAL, of a standby. */
  source: z.object({ server: z.string(), role: z.enum(['primary', 'standby']), behind: z.int().optional() }),
  /** `17.6`, of the server and of its pg_dump. */
  versions: z.object({ server: z.string(), pgDump: z.string() }),
  /** Of the database on the server. */
  bytes: z.int(),
  tables: Tables,
  /** Prisma's; null when the database has no such table. */
  migrations: Migrations.nullable(),
  ...common,
})
export type PostgresManifest = z.infer<typeof PostgresManifest>

export const MongoManifest = z.object({
  kind: z.literal('mongo'),
  cluster: z.string(),
  database: z.string(),
  /** Who was dumped. `behind` the primary in seconds, of a secondary. */
  source: z.object({ server: z.string(), role: Role, behind: z.number().optional() }),
  /** `7.0.14`, and mongodump's `100.10.0`. */
  versions: z.object({ server: z.string(), mongodump: z.string() }),
  /** Of the documents, uncompressed, as the server says. */
  bytes: z.int(),
  /** As the archive has them, by name. */
  collections: Collections,
  ...common,
})
export type MongoManifest = z.infer<typeof MongoManifest>

export const FolderManifest = z.object({
  kind: z.literal('folder'),
  host: z.string(),
  path: z.string(),
  /** All but folders. */
  files: z.int(),
  /** That it took on its disk. */
  bytes: z.int(),
  /** `tar (GNU tar) 1.35`: another one may write the same in another way. */
  tar: z.string(),
  ...common,
})
export type FolderManifest = z.infer<typeof FolderManifest>

/** What a backup is. It is written after everything else, and never again. */
export const Manifest = z.discriminatedUnion('kind', [PostgresManifest, MongoManifest, FolderManifest])
export type Manifest = z.infer<typeof Manifest>

/** As it is stored: people may have to read it. */
export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`
}

/** That a backup was restored, and what came of it. */
export const Evidence = z.object({
  format: z.literal(1),
  by: z.string(),
  at: Time,
  /** Of the restore, until the database could be used: what a disaster would take. Milliseconds. */
  restoreMs: z.int(),
  /** The server that it was restored on. */
  on: z.string(),
  outcome: z.enum(['good', 'bad']),
  /** What was compared, or what was wrong, a line each. */
  findings: z.array(z.string()),
})
export type Evidence = z.infer<typeof Evidence>

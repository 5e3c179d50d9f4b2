import * as z from 'zod'

import type { Api } from '../proxmox/api.ts'
import { ApiError } from '../proxmox/errors.ts'
import { Flag } from '../proxmox/flag.ts'

/** A snapshot as a volume of a storage of the cluster, and a node to read it on. */
export interface Volume {
  node: string
  storage: string
  /** `vm/100/2026-11-28T01:00:00Z` */
  snapshot: string
}

/** One archive or partition of a snapshot: what is in its root folder, or why that cannot be told. */
export interface Listing {
  /** `drive-scsi0.img.fidx/part/1`, `root.pxar.didx` */
  of: string
  entries: { name: string; bytes: number | undefined; folder: boolean }[]
  why: string | undefined
}

const Entry = z.object({
  /** The path, in base64. */
  filepath: z.string(),
  text: z.string(),
  leaf: Flag,
  size: z.number().optional(),
})
type Entry = z.output<typeof Entry>

/** The node starts a small machine for a disk, and says 503 while that takes longer than 25 s. */
const attempts = 6
/** Disks, their kinds of partitions, partitions: what is read at most. */
const mostListings = 60

/**
 * Opens a snapshot as a restore of single files does, and lists the root folder of every file system in it.
 * @param told is called with what is opened
 * @throws ApiError when the snapshot itself cannot be opened
 */
export async function listFiles(api: Api, volume: Volume, told: (what: string) => void): Promise<Listing[]> {
  const found: Listing[] = []
  const waiting = await list(api, volume, '/')
  for (let read = 0; waiting.length > 0 && read < mostListings; read += 1) {
    const at = waiting.shift()
    if (!at) break
    const path = Buffer.from(at.filepath, 'base64').toString().replace(/^\//, '')
    told(path)
    try {
      const entries = await list(api, volume, at.filepath)
      if (isFileSystem(path)) found.push({ of: path, why: undefined, entries: entries.map(nameAndSize) })
      else waiting.push(...entries.filter(({ leaf }) => !leaf))
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      found.push({ of: path, entries: [], why: error.message.replace(`${api.name}: `, '') })
    }
  }
  return found
}

async function list(api: Api, { node, storage, snapshot }: Volume, filepath: string): Promise<Entry[]> {
  const path = `/nodes/${encodeURIComponent(node)}/storage/${encodeURIComponent(storage)}/file-restore/list`
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await api.get(path, z.array(Entry), { volume: `backup/${snapshot}`, filepath })
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 503 && attempt < attempts)) throw error
    }
  }
}

/** Names below the kind of what a disk holds, before a file system begins: of LVM the group and the volume. */
const depthOf = new Map([
  ['raw', 0],
  ['part', 1],
  ['zpool', 1],
  ['lvm', 2],
])

/** The archive of a container is one; in a disk, `drive-scsi0.img.fidx/part/1` is. */
function isFileSystem(path: string): boolean {
  const [archive = '', kind, ...names] = path.split('/')
  if (!archive.endsWith('.img.fidx')) return true
  return kind !== undefined && names.length >= (depthOf.get(kind) ?? 1)
}

function nameAndSize({ text, size, leaf }: Entry): Listing['entries'][number] {
  return { name: text, bytes: size, folder: !leaf }
}

/** What the peer plays: a cluster of Proxmox VE, and the backup server that it is backed up to. */
export interface World {
  /** The node that answers. */
  self: string
  nodes: Record<string, 'online' | 'offline'>
  guests: WorldGuest[]
  /** As jobs.cfg has them. */
  jobs: WorldJob[]
  storages: WorldStorage[]
  datastore: string
  /** By namespace. */
  snapshots: Record<string, WorldSnapshot[]>
  room: { total: number; used: number; avail: number }
  /** What the backup server says instead of any answer on the datastore: it is not mounted, say. */
  datastoreError?: string
  pveTokens: Record<string, WorldToken>
  pbsTokens: Record<string, WorldToken>
  /** How the next runs of vzdump go. */
  vzdump: { ms: number; end: string; stores: boolean }
  /** Files by snapshot, and of any that is not named. */
  files: Record<string, Folder>
  /** How often the first listing of a disk answers 503 before it is done. */
  slowListings: number
  /** Seconds that the clocks are ahead of the true time. */
  pveAhead: number
  pbsAhead: number
}

export interface WorldGuest {
  vmid: number
  name: string
  type: 'qemu' | 'lxc'
  node: string
  template?: boolean
  lock?: string
  pool?: string
  /** Volumes that have backup=0. */
  without?: string[]
}

export interface WorldJob {
  id: string
  storage: string
  enabled?: 0 | 1
  all?: 1
  vmid?: string
  pool?: string
  exclude?: string
  node?: string
  [setting: string]: unknown
}

export interface WorldStorage {
  storage: string
  type: string
  server?: string
  datastore?: string
  namespace?: string
  fingerprint?: string
  disable?: 0 | 1
}

export interface WorldSnapshot {
  type: 'vm' | 'ct'
  id: string
  /** Seconds. */
  time: number
  /** Missing: it has no manifest. */
  size?: number
  state?: 'ok' | 'failed'
}

export interface WorldToken {
  secret: string
  /** Seconds; in the past: expired. */
  expire?: number
  /** By path, by privilege: whether it reaches what is below. */
  privileges: Record<string, Record<string, 0 | 1>>
}

/** A folder; a string is a file, `!` and words an error that its listing gives. */
export interface Folder {
  [name: string]: Folder | string
}

/** The rights of PVEAuditor on all, and what starting and opening backups takes besides. */
export const allOfPve = {
  '/': {
    'Sys.Audit': 1,
    'VM.Audit': 1,
    'Datastore.Audit': 1,
    'VM.Backup': 1,
    'Datastore.AllocateSpace': 1,
  },
} as const

/** Of a path, with what it inherits; a rule on the path itself stands in the place of those above. */
export function privilegesOn({ privileges }: WorldToken, path: string): Record<string, 0 | 1> {
  const own = privileges[path]
  if (own) return own
  const above = path.split('/').map((_, count, parts) => parts.slice(0, count).join('/') || '/')
  const nearest = above.toReversed().find((one) => privileges[one] !== undefined)
  const held = nearest === undefined ? {} : (privileges[nearest] ?? {})
  return Object.fromEntries(Object.entries(held).filter(([, below]) => below === 1))
}

/** By the rules of vzdump: a pool, else a list, else all but those that are excluded. */
export function guestsOf({ guests }: World, job: WorldJob): WorldGuest[] {
  return guests.filter(({ vmid, pool, node }) => {
    if (job.node !== undefined && job.node !== node) return false
    if (job.pool !== undefined) return pool === job.pool
    if (job.vmid !== undefined) return listed(job.vmid).includes(vmid)
    return job.all === 1 && !listed(job.exclude).includes(vmid)
  })
}

function listed(text: string | undefined): number[] {
  return (text ?? '').split(',').filter(Boolean).map(Number)
}

import { snapshotName } from '../../pbs/datastore.ts'
import type { Listing, Volume } from '../../pve/files.ts'
import { TaskError } from '../../task/errors.ts'
import { size } from '../../task/size.ts'
import type { GuestBackup } from './judge.ts'
import type { Survey } from './survey.ts'

/** Names that are shown of one folder. */
const mostNames = 12

/**
 * The newest backup of a guest as a volume of the cluster, and a node that can read it: its own one, else another.
 * @throws TaskError when there is none
 */
export function volumeOf(survey: Survey, { guest, newest }: GuestBackup): Volume {
  if (!newest) {
    throw new TaskError(`${guest.name} (${guest.vmid}) has no whole backup in ${survey.entry.datastore}`)
  }
  for (const { name, disabled } of survey.storages) {
    const nodes = survey.resources.storages.get(name) ?? []
    const node = nodes.includes(guest.node) ? guest.node : nodes[0]
    if (node !== undefined && !disabled) return { node, storage: name, snapshot: snapshotName(newest) }
  }
  const names = survey.storages.map(({ name }) => name).join(', ')
  throw new TaskError(
    `the storage ${names} is available on no node of ${survey.name}, so no backup can be opened`,
  )
}

/** @throws TaskError when no folder of it could be read, or all that could are empty */
export function requireFiles(volume: Volume, listings: readonly Listing[]): void {
  if (listings.some(({ entries }) => entries.length > 0)) return
  const seen = listings.map(({ of, why }) => `${of}: ${why ?? 'it is empty'}`).join('\n')
  throw new TaskError(`no file of ${volume.snapshot} could be listed`, {
    seen: seen === '' ? 'it has no archive' : seen,
  })
}

/** `drive-scsi0.img.fidx/part/1: bin, boot, etc/ …`, a line each. */
export function describeListings(listings: readonly Listing[]): string {
  return listings.map((listing) => `  ${listing.of}: ${contentOf(listing)}`).join('\n')
}

function contentOf({ entries, why }: Listing): string {
  if (why !== undefined) return `not to be read: ${why}`
  if (entries.length === 0) return 'empty'
  const names = entries.slice(0, mostNames).map(({ name, bytes, folder }) => {
    if (folder) return `${name}/`
    return bytes === undefined ? name : `${name} (${size(bytes)})`
  })
  const more = entries.length - names.length
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

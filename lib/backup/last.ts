import type { Estate } from '../inventory/estate.ts'
import { readBackups, type Shelf } from './backups.ts'
import type { Subject } from './subject.ts'

/** How large the newest good backup of a subject was before it was encrypted: the best guess for the next one. Bytes. */
export async function lastSize(store: Shelf, estate: Estate, subject: Subject): Promise<number | undefined> {
  const whole = (await readBackups(store, estate, subject)).filter(({ state }) => state === 'whole')
  return whole.at(-1)?.manifest?.parts[0]?.plain.bytes
}

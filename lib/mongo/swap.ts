import type { Command } from './script.ts'

/** What all names of ours begin with: collections that belong to no app, and are in no dump. */
export const ours = '__hausmeister_'

const stamp = String.raw`\d{8}T\d{6}Z`

/**
 * MongoDB renames no databases, but collections in their database, at once and with their indexes (renameCollection of
 * the manual; into another database it would copy them). So a backup is restored beside the collections of its own
 * database, under names with a prefix, and then each gets its name, and the old one of that name another prefix. All
 * state is in the names: any run can finish what one before it has begun.
 */
export interface Swap {
  /** UTC, as it stands in the names: `20261124T023000Z`. */
  time: string
  /** Prefix of those that are to be live. */
  incoming: string
  /** Prefix of those that are put aside. */
  kept: string
  /** Prefix of those that get `incoming` first: an older `kept`, when that comes back. */
  back: string | undefined
}

/** A restore. */
export function restoring(time: string): Swap {
  return { time, incoming: `${ours}restore_${time}.`, kept: keptPrefix(time), back: undefined }
}

/** Puts back what the restore of a time has put aside. */
export function undoing(of: string, time: string): Swap {
  return {
    time,
    incoming: `${ours}undo_${of}_${time}.`,
    kept: keptPrefix(time),
    back: keptPrefix(of),
  }
}

export function keptPrefix(time: string): string {
  return `${ours}before_${time}.`
}

/** Between those that only go, and those that are replaced: from then on, what has no prefix is new. */
function mark({ time }: Swap): string {
  return `${ours}swap_${time}`
}

/** The swap that a run before has begun and not ended. */
export function openSwap(names: readonly string[]): Swap | undefined {
  for (const name of names) {
    const [, of, time] = new RegExp(`^${ours}undo_(${stamp})_(${stamp})\\.`).exec(name) ?? []
    if (of !== undefined && time !== undefined) return undoing(of, time)
  }
  for (const name of names) {
    const [, time] =
      new RegExp(`^${ours}(?:restore_(?=${stamp}\\.)|swap_(?=${stamp}$))(${stamp})`).exec(name) ?? []
    if (time === undefined) continue
    const swap = restoring(time)
    if (names.includes(mark(swap)) || names.some((one) => one.startsWith(swap.kept))) return swap
  }
  return undefined
}

/** What a restore has left that never came to its swap. */
export function leftovers(names: readonly string[]): string[] {
  return openSwap(names) ? [] : names.filter((name) => name.startsWith(`${ours}restore_`))
}

/** The times of the restores whose old collections are there, the newest first. */
export function keptTimes(names: readonly string[]): string[] {
  const found = names.flatMap((name) => new RegExp(`^${ours}before_(${stamp})\\.`).exec(name)?.[1] ?? [])
  return [...new Set(found)].toSorted().toReversed()
}

/**
 * What brings a swap to its end, from wherever it is; nothing when it is there.
 * @param names of all collections, without views
 */
export function swapCommands(database: string, swap: Swap, names: readonly string[]): Command[] {
  const rename = (from: string, to: string): Command => ({
    db: 'admin',
    command: { renameCollection: `${database}.${from}`, to: `${database}.${to}` },
  })
  const { incoming, kept, back } = swap
  const returning = back === undefined ? [] : below(back, names)
  const coming = [...new Set([...below(incoming, names), ...returning])].toSorted()
  const isMarked = names.includes(mark(swap))
  if (coming.length === 0 && !isMarked) return []
  const live = names.filter((name) => !name.startsWith(ours))
  // The app may have made one anew in between.
  const aside = (name: string): string =>
    names.includes(`${kept}${name}`) ? `${kept}${name}.meanwhile` : `${kept}${name}`
  const going = isMarked ? [] : live.filter((name) => !coming.includes(name))
  return [
    ...returning.map((name) => rename(`${back}${name}`, `${incoming}${name}`)),
    ...going.map((name) => rename(name, aside(name))),
    ...(isMarked ? [] : [{ db: database, command: { create: mark(swap) } }]),
    ...coming.flatMap((name) => [
      ...(live.includes(name) ? [rename(name, aside(name))] : []),
      rename(`${incoming}${name}`, name),
    ]),
    { db: database, command: { drop: mark(swap) } },
  ]
}

/** Their names without the prefix. */
export function below(prefix: string, names: readonly string[]): string[] {
  return names.flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []))
}

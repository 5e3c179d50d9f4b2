import { distance } from 'fastest-levenshtein'

/** The candidate a typing mistake away from `name`, or the only one that begins with it. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const all = [...candidates]
  const beginning = name.length > 1 ? all.filter((candidate) => candidate.startsWith(name)) : []
  if (beginning.length === 1) return beginning[0]
  let best = slips(name) + 1
  let found: string | undefined
  for (const candidate of all) {
    const far = apart(plain(name), plain(candidate))
    if (far < best && far < candidate.length) {
      best = far
      found = candidate
    }
  }
  return found
}

/** `Did you mean "pve"?`, or the names there are, for a person who named something that is not there. */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const names = [...new Set(candidates)]
  const near = nearest(name, names)
  if (near !== undefined) return `Did you mean "${near}"?`
  if (names.length === 0) return 'There is none yet'
  const shown = names.slice(0, 12).join(', ')
  return names.length > 12 ? `There are: ${shown} and ${names.length - 12} more` : `There are: ${shown}`
}

/** How many slips still point to what was meant; "port" is no slip for "host". */
function slips(name: string): number {
  if (name.length <= 4) return 1
  return Math.max(2, Math.floor(name.length / 3))
}

/** Letters in the wrong order are one slip, where the edit distance counts two for each. */
function apart(one: string, other: string): number {
  const far = distance(one, other)
  return far === 2 && sorted(one) === sorted(other) ? 1 : far
}

function sorted(name: string): string {
  return Array.from(name).toSorted().join('')
}

/** Case and the choice between "-" and "_" are the commonest slips, so they count as none. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

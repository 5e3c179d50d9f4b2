import type { Collection, Collections } from '../../mongo/collections.ts'

/** How a restored database differs from what was dumped, a line each; none when it is the same. */
export function differences(dumped: Collections, found: Collections): string[] {
  const names = [...new Set([...Object.keys(dumped), ...Object.keys(found)])].toSorted()
  return names.flatMap((name) => {
    const [was, is] = [dumped[name], found[name]]
    if (!was) return [`${name} was not dumped, and is there`]
    if (!is) return [`${name} is missing, with its ${was.documents} documents`]
    return [...between(name, was, is)]
  })
}

function* between(name: string, was: Collection, is: Collection): Generator<string> {
  if (was.kind !== is.kind) yield `${name} is a ${is.kind}, and was a ${was.kind}`
  if (was.documents !== is.documents) yield `${name} has ${is.documents} documents, and had ${was.documents}`
  if (was.indexes.join('\n') !== is.indexes.join('\n'))
    yield `${name} has the indexes ${inWords(is)}, and had ${inWords(was)}`
}

function inWords({ indexes }: Collection): string {
  return indexes.join(', ') || 'none'
}

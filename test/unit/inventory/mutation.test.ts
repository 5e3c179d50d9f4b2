import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { InventoryError } from '../../../lib/inventory/errors.ts'
import type { Inventory } from '../../../lib/inventory/inventory.ts'
import { parseInventory } from '../../../lib/inventory/parse.ts'
import { sample } from './sample.ts'

const TEXT = JSON.stringify(sample(), undefined, 2)

/** Either it parses, or it throws an InventoryError whose every place is inside of the text. */
async function parsesOrExplains(text: string): Promise<Inventory | undefined> {
  try {
    return await parseInventory(text, 'inventory.json')
  } catch (error) {
    if (!(error instanceof InventoryError)) throw error
    expect(error.problems.length).toBeGreaterThan(0)
    const lines = text.split(/\r\n|\r|\n/)
    for (const { line, column, message } of error.problems) {
      expect(message).not.toBe('')
      expect(line).toBeGreaterThanOrEqual(1)
      expect(line).toBeLessThanOrEqual(lines.length)
      expect(column).toBeGreaterThanOrEqual(1)
      expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1)
    }
    return undefined
  }
}

/** Every place in the sample, as the keys that lead to it. */
function placesIn(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...path, key]))]
}

function replaced(value: unknown, [key, ...rest]: string[], change: (old: unknown) => unknown): unknown {
  if (key === undefined) return change(value)
  if (Array.isArray(value))
    return value.map((inner, index) => (String(index) === key ? replaced(inner, rest, change) : inner))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name === key ? replaced(inner, rest, change) : inner,
    ]),
  )
}

const place = fc.constantFrom(...placesIn(sample()))

test('any value anywhere', async () => {
  await fc.assert(
    fc.asyncProperty(place, fc.jsonValue(), async (path, value) => {
      await parsesOrExplains(JSON.stringify(replaced(sample(), path, () => value)))
    }),
    { numRuns: 1000 },
  )
})

test('any key anywhere: only the names of things are free to choose', async () => {
  await fc.assert(
    fc.asyncProperty(place, fc.string({ unit: 'binary' }), fc.jsonValue(), async (path, key, value) => {
      const added = (old: unknown) =>
        typeof old === 'object' && old !== null ? { ...old, ...Object.fromEntries([[key, value]]) } : old
      await parsesOrExplains(JSON.stringify(replaced(sample(), path, added), undefined, 1))
    }),
    { numRuns: 1000 },
  )
})

test('any cut, and any text put in its place', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(TEXT.length),
      fc.nat(20),
      fc.oneof(fc.string(), fc.stringMatching(/^[\s"{}[\],:\\0-9a-z/*]{0,5}$/)),
      async (at, length, text) => {
        await parsesOrExplains(TEXT.slice(0, at) + text + TEXT.slice(at + length))
      },
    ),
    { numRuns: 2000 },
  )
})

test('a member written twice is never taken in silence', async () => {
  const named = placesIn(sample()).filter((path) => path.length > 0 && !/^\d+$/.test(path.at(-1) ?? ''))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...named), async (path) => {
      const last = path.at(-1) ?? ''
      // A marker is a key no sample has, so that its text can be turned into the second `last`.
      const twice = replaced(sample(), path.slice(0, -1), (old) =>
        typeof old === 'object' && old !== null
          ? { ...old, '~again~': Object.entries(old).find(([key]) => key === last)?.[1] }
          : old,
      )
      const text = JSON.stringify(twice).replace('"~again~"', JSON.stringify(last))
      await expect(parseInventory(text, 'inventory.json')).rejects.toThrow('stands twice in the same object')
    }),
  )
})

test('what parses, parses again to the same', async () => {
  const first = await parseInventory(TEXT, 'inventory.json')
  expect(await parseInventory(JSON.stringify(first), 'inventory.json')).toEqual(first)
})

import { expect, test } from 'vitest'

import { probe, type Probed } from '../../../lib/s3/probe.ts'
import { TaskError } from '../../../lib/task/errors.ts'
import { failure } from '../doubles.ts'

const key = 'shop/probe-1'

/** A store that refuses some acts. */
function storeThat(refuses: (keyof Probed)[] = [], changed: Partial<Probed> = {}) {
  const objects = new Map<string, string>()
  const may = (act: keyof Probed): void => {
    if (refuses.includes(act)) throw new TaskError('the store does not let us', { seen: 'HTTP 403' })
  }
  const store: Probed = {
    name: 'bucket b',
    async writeText(at, text) {
      may('writeText')
      objects.set(at, text)
    },
    async list(prefix) {
      may('list')
      return [...objects.keys()].flatMap((one) =>
        one.startsWith(prefix) ? [{ key: one, bytes: 1, modified: new Date(0) }] : [],
      )
    },
    async readText(at) {
      may('readText')
      return objects.get(at)
    },
    async remove(at) {
      may('remove')
      objects.delete(at)
    },
    ...changed,
  }
  return { store, objects }
}

test('nothing is left of it', async () => {
  const { store, objects } = storeThat()
  await probe(store, key)
  expect([...objects]).toEqual([])
})

test.each([
  ['writeText', 'cannot write an object in bucket b: the store does not let us', 0],
  ['list', 'cannot list objects in bucket b: the store does not let us', 0],
  ['readText', 'cannot read an object in bucket b: the store does not let us', 0],
  ['remove', 'cannot delete an object in bucket b: the store does not let us', 1],
] as const)('a store that refuses %s', async (act, message, left) => {
  const { store, objects } = storeThat([act])
  const error = await failure(probe(store, key))
  expect(error).toMatchObject({ message, seen: 'HTTP 403' })
  expect(objects.size).toBe(left)
})

test('a store that only says it did', async () => {
  const other = storeThat([], { readText: async () => 'other' })
  expect((await failure(probe(other.store, key))).message).toMatch(/gives back another shop\/probe-1/)
  expect(other.objects.size).toBe(0)
  const lost = storeThat([], { writeText: async () => {} })
  expect((await failure(probe(lost.store, key))).message).toMatch(/does not list shop\/probe-1/)
  const kept = storeThat([], { remove: async () => {} })
  expect((await failure(probe(kept.store, key))).message).toMatch(/still has shop\/probe-1 after deleting/)
})

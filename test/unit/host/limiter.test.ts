import { expect, test } from 'vitest'

import { Limiter } from '../../../lib/host/limiter.ts'

/** Comes in, and says so. */
async function come(limiter: Limiter, name: string, came: string[]): Promise<void> {
  await limiter.enter()
  came.push(name)
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

test('lets in as many as it may, and the others in the order they came', async () => {
  const limiter = new Limiter(2)
  const came: string[] = []
  const all = ['a', 'b', 'c', 'd'].map((name) => come(limiter, name, came))
  await turn()
  expect(came).toEqual(['a', 'b'])
  limiter.leave()
  await turn()
  expect(came).toEqual(['a', 'b', 'c'])
  all.push(come(limiter, 'late', came))
  limiter.leave()
  await turn()
  // Whoever comes when a place has just been taken again has to wait too.
  expect(came).toEqual(['a', 'b', 'c', 'd'])
  limiter.leave()
  await Promise.all(all)
})

test('places that were given back are free again, and no more than those', async () => {
  const limiter = new Limiter(1)
  await limiter.enter()
  limiter.leave()
  const came: string[] = []
  const all = ['a', 'b'].map((name) => come(limiter, name, came))
  await turn()
  expect(came).toEqual(['a'])
  limiter.leave()
  await Promise.all(all)
})

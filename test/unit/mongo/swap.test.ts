import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  keptPrefix,
  keptTimes,
  leftovers,
  openSwap,
  ours,
  restoring,
  type Swap,
  swapCommands,
  undoing,
} from '../../../lib/mongo/swap.ts'

const time = '20261124T023000Z'
const later = '20261125T023000Z'

/** A database as names with what is in them. */
type Content = Map<string, string>

/** Does the first commands, as MongoDB does, up to a number of them. */
function perform(content: Content, swap: Swap, most = Infinity): void {
  for (const { command } of swapCommands('webapp', swap, [...content.keys()]).slice(0, most)) {
    const [from, to] = [nameIn(command['renameCollection']), nameIn(command['to'])]
    if (typeof command['create'] === 'string') {
      expect(content.has(command['create'])).toBe(false)
      content.set(command['create'], 'mark')
    } else if (typeof command['drop'] === 'string') expect(content.delete(command['drop'])).toBe(true)
    else {
      expect([content.has(from), content.has(to)]).toEqual([true, false])
      content.set(to, content.get(from) ?? '')
      content.delete(from)
    }
  }
}

function nameIn(namespace: unknown): string {
  return typeof namespace === 'string' ? namespace.replace('webapp.', '') : ''
}

/** Finishes whatever was begun, as each run does. */
function finish(content: Content): void {
  const swap = openSwap([...content.keys()])
  if (swap) perform(content, swap)
}

function live(content: Content): Record<string, string> {
  return Object.fromEntries([...content].filter(([name]) => !name.startsWith(ours)))
}

function under(content: Content, prefix: string): Record<string, string> {
  return Object.fromEntries(
    [...content].flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  )
}

function database(old: string[], dumped: string[]): Content {
  return new Map([
    ...old.map((name): [string, string] => [name, 'old']),
    ...dumped.map((name): [string, string] => [`${restoring(time).incoming}${name}`, 'new']),
  ])
}

const all = (names: string[], value: string) => Object.fromEntries(names.map((name) => [name, value]))

const names = fc.uniqueArray(fc.constantFrom('users', 'orders', 'a.b', 'carts', 'x'), { maxLength: 5 })

test('a swap that is cut off anywhere is finished by the next run, and one that is undone likewise', () => {
  fc.assert(
    fc.property(names, names, fc.nat(12), fc.nat(12), (old, dumped, cut, cutAgain) => {
      const content = database(old, dumped)
      perform(content, restoring(time), cut)
      if (openSwap([...content.keys()]) === undefined && cut === 0) perform(content, restoring(time))
      finish(content)
      if (dumped.length > 0) {
        expect(live(content)).toEqual(all(dumped, 'new'))
        expect(under(content, keptPrefix(time))).toEqual(all(old, 'old'))
      }
      expect(openSwap([...content.keys()])).toBeUndefined()
      if (keptTimes([...content.keys()])[0] !== time) return
      perform(content, undoing(time, later), cutAgain)
      if (cutAgain === 0) perform(content, undoing(time, later))
      finish(content)
      expect(live(content)).toEqual(all(old, 'old'))
      expect(under(content, keptPrefix(later))).toEqual(all(dumped, 'new'))
      expect([...content.keys()].filter((name) => name.startsWith(`${ours}swap`))).toEqual([])
    }),
    { numRuns: 500 },
  )
})

test('what an app has made anew in the middle is kept, too', () => {
  const content = database(['users'], ['users'])
  perform(content, restoring(time), 2)
  expect(live(content)).toEqual({})
  content.set('users', 'meanwhile')
  finish(content)
  expect(live(content)).toEqual({ users: 'new' })
  expect(under(content, keptPrefix(time))).toEqual({ users: 'old', 'users.meanwhile': 'meanwhile' })
})

describe('what stands in the names', () => {
  const incoming = `${restoring(time).incoming}users`

  test('a restore that never came to its swap has only left things', () => {
    expect(openSwap(['users', incoming])).toBeUndefined()
    expect(leftovers(['users', incoming])).toEqual([incoming])
  })

  test('one that was begun has left nothing that may be dropped', () => {
    const begun = [incoming, `${keptPrefix(time)}users`]
    expect(openSwap(begun)).toEqual(restoring(time))
    expect(leftovers(begun)).toEqual([])
    expect(openSwap([`${undoing(time, later).incoming}users`])).toEqual(undoing(time, later))
  })

  test('the newest restore comes first', () => {
    expect(keptTimes([`${keptPrefix(time)}a`, `${keptPrefix(later)}a`, 'a', `${keptPrefix(time)}b`])).toEqual(
      [later, time],
    )
  })
})

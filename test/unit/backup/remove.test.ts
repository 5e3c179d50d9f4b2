import { expect, test } from 'vitest'

import type { Backup } from '../../../lib/backup/backups.ts'
import { agreed, type Plan } from '../../../lib/backup/plan.ts'
import { provePlan, removePlanned } from '../../../lib/backup/remove.ts'
import type { Subject } from '../../../lib/backup/subject.ts'
import { confirmDestruction } from '../../../lib/task/confirm.ts'
import { TaskError } from '../../../lib/task/errors.ts'
import { failure } from '../doubles.ts'

const subject: Subject = { kind: 'postgres', cluster: 'main', database: 'shop' }
const upload = { key: 'c/dump.age', id: '1', since: new Date(0), active: new Date(0), backup: 'c' }

function backup(id: string, state: Backup['state'] = 'whole'): Backup {
  const keys = ['dump.age', 'globals.age', 'manifest.json', 'verified/1.json']
  const objects = keys.map((name) => ({ key: `${id}/${name}`, bytes: 1, modified: new Date(0) }))
  return {
    subject,
    id,
    prefix: `${id}/`,
    begun: new Date(0),
    state,
    why: undefined,
    manifest: undefined,
    evidence: [],
    objects,
  }
}

function entries(ids: string[]): Plan['kept'] {
  return ids.map((id) => ({ backup: backup(id), why: '' }))
}

function plan(removed: string[], kept: string[] = []): Plan {
  return { subject, removed: entries(removed), kept: entries(kept), aborted: [upload] }
}

function proofOf(name: string) {
  return confirmDestruction({ name, question: '', yes: true, dryRun: false, isTerminal: false })
}

/** A store that fails at the nth act. */
function failing(at: number) {
  const done: string[] = []
  const act = async (what: string): Promise<void> => {
    if (done.length === at) throw new TaskError('no answer from the store')
    done.push(what)
  }
  return {
    done,
    remove: (key: string) => act(key),
    abortUpload: ({ key }: { key: string }) => act(`abort ${key}`),
  }
}

test('the oldest goes first, of each the manifest, then its evidence, then what it is of', async () => {
  const store = failing(-1)
  await removePlanned(store, plan(['b', 'a']), await proofOf('bucket'), 'bucket')
  expect(store.done).toEqual([
    'abort c/dump.age',
    ...['a', 'b'].flatMap((id) =>
      ['manifest.json', 'verified/1.json', 'dump.age', 'globals.age'].map((name) => `${id}/${name}`),
    ),
  ])
})

test('nothing goes without the word of the operator for this bucket', async () => {
  const store = failing(-1)
  await failure(removePlanned(store, plan(['a']), await proofOf('another'), 'bucket'))
  expect(store.done).toEqual([])
})

test('a store that fails on the way is told of with what is half removed', async () => {
  const error = await failure(removePlanned(failing(3), plan(['b', 'a']), await proofOf('bucket'), 'bucket'))
  expect(error.message).toBe(
    'no answer from the store\n2 of 4 objects of main/shop a are removed; nothing else was begun, and the next run takes the rest',
  )
})

test('what is not to be removed any more at the second look stays', () => {
  expect(agreed(plan(['a', 'b']), plan(['b', 'c'])).removed.map(({ backup: { id } }) => id)).toEqual(['b'])
})

test('a kept backup that is not whole any more is an error, and a removed one that is listed is told', async () => {
  const done = plan(['a'], ['b', 'c'])
  expect(provePlan(done, [backup('b'), backup('c')])).toEqual([])
  expect(provePlan(done, [backup('a'), backup('b'), backup('c')])).toEqual(['a'])
  expect(() =>
    provePlan(done, [backup('b'), { ...backup('c'), state: 'damaged', why: 'dump.age is not there' }]),
  ).toThrow('backups of main/shop that should stay are not whole any more')
})

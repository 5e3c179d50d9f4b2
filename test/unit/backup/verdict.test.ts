import { expect, test } from 'vitest'

import { toVerify } from '../../../lib/backup/choose.ts'
import { Evidence } from '../../../lib/backup/manifest.ts'
import { BadBackup, judge, type Trial } from '../../../lib/backup/verdict.ts'
import { TaskError } from '../../../lib/task/errors.ts'
import { failure } from '../doubles.ts'
import { manifestOf } from './sample.ts'
import { MemoryStore } from './shelf.ts'

const prefix = 'test/postgres/main/shop/20261101T020000Z/'

function trial(store: MemoryStore): Trial {
  const subject = { kind: 'postgres' as const, cluster: 'main', database: 'shop' }
  const { backup } = toVerify(subject, [
    {
      subject,
      id: '20261101T020000Z',
      prefix,
      begun: new Date('2026-11-01T02:00:00Z'),
      state: 'whole',
      why: undefined,
      manifest: manifestOf(),
      evidence: [],
      objects: [],
    },
  ])
  return { store, backup, identity: 'none', on: 'pg-1' }
}

test('what is the fault of the backup is recorded with it, and ends the run', async () => {
  const store = new MemoryStore()
  const error = await failure(judge(trial(store), 1200, new BadBackup('it is damaged', { seen: 'one\ntwo' })))
  expect(error).toMatchObject({
    message: '20261101T020000Z of main/shop is no good backup; this is recorded with it',
    seen: 'it is damaged\none\ntwo',
  })
  const [[key, text] = []] = [...store.objects]
  expect(key).toMatch(new RegExp(`^${prefix}verified/\\d{8}T\\d{6}Z\\.json$`))
  expect(Evidence.parse(JSON.parse(String(text)))).toMatchObject({
    outcome: 'bad',
    restoreMs: 1200,
    on: 'pg-1',
    findings: ['it is damaged', 'one', 'two'],
  })
})

test('a store that takes no record does not hide what was found', async () => {
  const store = new MemoryStore()
  store.readOnly = true
  expect(await failure(judge(trial(store), 0, new BadBackup('it is damaged')))).toMatchObject({
    message: expect.stringMatching(/is no good backup; this could not be recorded: it is read-only$/),
    seen: 'it is damaged',
  })
})

test('what is the fault of something else is passed on, and nothing is recorded', async () => {
  const store = new MemoryStore()
  const fault = new TaskError('the disk is full')
  expect(await failure(judge(trial(store), 0, fault))).toBe(fault)
  expect(store.objects.size).toBe(0)
})

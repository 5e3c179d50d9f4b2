import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { type DemoEstate, startEstate } from '../../examples/demo/estate.ts'
import { waitUnlocked } from './databases.ts'
import {
  expectDone,
  expectNoSecrets,
  expectOld,
  holdSeed,
  isStarted,
  keptBy,
  makePlace,
  named,
  type Place,
  undoOf,
} from './place.ts'

let estate: DemoEstate
const place = (name: string): Promise<Place> => makePlace(estate, name)

beforeAll(async () => {
  // As OpenSSH, which leaves commands running when their client is gone.
  estate = await startEstate({ keepsCommands: true })
})

afterAll(async () => {
  await estate?.close()
})

const steps = [
  ['door', 'Close the door'],
  ['sessions', 'End the sessions'],
  ['rename', 'Rename'],
  ['create', 'Create an empty'],
  // Not "shadow": the database itself would be called like a shadow database then.
  ['second', /^Create an empty \S+_shadow$/],
  ['migrate', 'Migrate'],
  ['seed', 'Seed'],
  ['prove', 'Prove'],
  ['mark', 'Mark the reset'],
] as const

describe.concurrent('a controller that is killed', () => {
  test.each(steps)('at the step "%s" loses nothing, and --undo repairs it', async (short, title) => {
    const here = await place(`kill_${short}`)
    const killed = await here.run(['--yes'], (event, child) => {
      if (isStarted(event, title)) child.kill('SIGKILL')
    })
    expect(killed.signal).toBe('SIGKILL')
    await waitUnlocked(estate.cluster, here.name)
    const left = await here.state()
    expect(Object.values(left).some(({ oid }) => oid === here.before.oid)).toBe(true)

    const next = await here.run(['--dry-run'])
    const isWhole = left[here.name]?.oid === here.before.oid && left[here.name]?.open
    if (['create', 'second', 'migrate', 'seed'].includes(short))
      expect([isWhole, next.code]).toEqual([false, 1])
    if (isWhole) {
      expect(next.code).toBe(0)
    } else if (left[here.name]?.rows?.['page_permissions'] && next.code === 0) {
      // It was killed after it had finished.
      expect(named(left, keptBy(here.name))).toHaveLength(1)
    } else {
      expect(next).toMatchObject({ code: 1, error: { next: undoOf(here) } })
      expect(next.error?.message).toContain(`a reset of ${here.name} on main did not finish`)
    }
    if (!isWhole) expectDone(await here.run(['--undo', '--yes']))
    await expectOld(here)
    if (short === 'seed') expectDone(await here.run(['--yes']))
  })
})

describe.concurrent('Ctrl-C', () => {
  test.each(steps)('at the step "%s" puts the old one back', async (short, title) => {
    const here = await place(`stop_${short}`)
    const stopped = await here.run(['--yes'], (event, child) => {
      if (isStarted(event, title)) child.kill('SIGINT')
    })
    expect(stopped.code === 130 ? '' : stopped.text).toBe('')
    expect(stopped.error?.message).toContain('cancelled by Ctrl-C')
    expect(stopped.error?.message).toMatch(/is (still|back) under its name, open to connections/)
    const now = await expectOld(here)
    // At the last step the new one may be complete, and is kept as that.
    if (short !== 'mark') expect(named(now, keptBy(here.name))).toEqual([])
  })

  test('twice stops at once, and the next run says how to repair it', async () => {
    const here = await place('stop_twice')
    await holdSeed(here, `process.on('SIGTERM', () => {})`)
    const stopped = await here.run(['--yes'], (event, child) => {
      if (event.event === 'progress' && event.detail === 'waiting') child.kill('SIGINT')
      // Signals that wait for a busy process become one: the second is sent when the first was seen.
      if (event.event === 'note' && event.text?.includes('once more stops at once')) {
        setTimeout(() => child.kill('SIGINT'), 1000)
      }
    })
    expect(stopped.code === 130 ? '' : stopped.text).toBe('')
    expect(stopped.error?.message).toContain('stopped at once by a second Ctrl-C')
    await waitUnlocked(estate.cluster, here.name)
    const next = await here.run(['--yes'])
    expect(next).toMatchObject({ code: 1, error: { next: undoOf(here) } })
    expectDone(await here.run(['--undo', '--yes']))
    await expectOld(here)
  })
})

describe('a cable that is cut after the rename', () => {
  test.each([
    ['to the app', () => estate.appHost, 3],
    ['to the database', () => estate.dbHost, 1],
  ] as const)('%s: the old one is put back over a new connection', async (where, host, code) => {
    const here = await place(`cut_${where.split(' ').at(-1)}`)
    await holdSeed(here)
    const run = await here.run(['--yes'], (event) => {
      if (event.detail === 'waiting') host().cut()
    })
    expect(run).toMatchObject({ code })
    expect(run.error?.message).toContain('is back under its name')
    await expectOld(here)
  })
})

test('no secret was printed or journaled', async () => {
  await expectNoSecrets(estate)
})

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { exitCode } from '../../../lib/task/exit-code.ts'
import { type Fault, Rehearsal, type Rehearsed } from './rehearsal.ts'
import { closeAndRename, create, earlier, expectOldOne, putBack, shadow } from './transcript.ts'

/** Nobody has to wait for machines that answer at once. */
vi.mock('node:timers/promises', () => ({
  setTimeout: () => new Promise((resolve) => setImmediate(resolve)),
}))

/** Time goes on between two runs, or two copies could have one name. */
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-21T02:14:11Z') }))
afterEach(() => void vi.useRealTimers())

function later(): void {
  vi.setSystemTime(Date.now() + 60_000)
}

function takesAMinute(): number {
  later()
  return 0
}

function titles({ events }: Rehearsed): string[] {
  return events.flatMap((event) =>
    event.event === 'step' && event.state !== 'started' ? [`${event.state}: ${event.title}`] : [],
  )
}

/** Each act of a good run, by what is there when it is reached. */
const acts = [
  'close the door',
  'end the sessions',
  'rename',
  'create',
  'shadow',
  'migrate',
  'seed',
  'mark as finished',
]

test('these are all acts of a reset', async () => {
  const rehearsal = new Rehearsal()
  await rehearsal.run()
  expect(rehearsal.acts).toBe(acts.length)
})

describe('when something fails, the old one is back', () => {
  test('by these statements', async () => {
    const rehearsal = new Rehearsal()
    rehearsal.app = (command, { complain }) => {
      complain('Error: P3018\nMigration name: 2_size\n')
      return command === 'npm run migrate' ? 1 : 0
    }
    const run = await rehearsal.run()
    expect(rehearsal.transcript).toEqual([
      ...closeAndRename,
      ...create,
      ...shadow,
      'vm-app (shop): npm run migrate',
      ...putBack,
    ])
    expect(run.error).toMatchObject({
      code: exitCode.failed,
      message: expect.stringMatching(
        /^this on vm-app as shop ended with exit code 1: npm run migrate {3}# vm-app, \/srv\/shop\nshop is back under its name, open to connections; the half-built one is kept as shop__failed_\d{8}T\d{6}Z$/,
      ),
      seen: 'Error: P3018\nMigration name: 2_size',
    })
    expect(titles(run).at(-1)).toBe('done: shop is back under its name, open to connections')
  })

  const kinds: Fault[] = ['fails', 'lost before', 'lost after', 'cancelled before', 'cancelled after']
  const all = acts.flatMap((act, at) => kinds.map((kind) => ({ act, at, kind })))

  test.each(all)('$act: $kind', async ({ at, kind }) => {
    const rehearsal = new Rehearsal(earlier)
    const { oid } = rehearsal.postgres.get('shop')
    rehearsal.app = takesAMinute
    const { error } = await rehearsal.run({ fault: { at, kind } })
    expectOldOne(rehearsal, oid)
    expect(error?.message).toMatch(/shop is (back|still) under its name, open to connections/)
    const codes: Record<string, number> = {
      fails: exitCode.failed,
      lost: exitCode.unreachable,
      cancelled: exitCode.cancelled,
    }
    expect(error?.code).toBe(codes[kind.split(' ')[0] ?? ''])
    later()
    const again = await rehearsal.run()
    expect(again.error).toBeUndefined()
    expect(rehearsal.postgres.get('shop').tables).toBe(14)
  })

  test('not by the copy of an earlier reset, when the door was never closed', async () => {
    const rehearsal = new Rehearsal(earlier)
    const { error } = await rehearsal.run({ fault: { at: 0, kind: 'fails' } })
    expect(rehearsal.transcript).toEqual([])
    expect(error?.message).toBe(
      'PostgreSQL on pg-1: no space left on device\nshop is still under its name, open to connections',
    )
  })

  test('or the message says that it is not, and how it is repaired', async () => {
    const rehearsal = new Rehearsal()
    rehearsal.app = () => {
      rehearsal.postgres.before = (statement) => {
        // It gives up after a while, which is to be over soon.
        later()
        if (statement.includes('"shop"')) throw new Error('the disk is full')
      }
      return 1
    }
    const { error } = await rehearsal.run()
    expect(error).toMatchObject({
      message: expect.stringContaining('not repaired: PostgreSQL on pg-1: ERROR:  the disk is full'),
      next: 'npx tsx tasks/pg-reset.ts --database shop --undo',
    })
  })
})

describe('when this program is killed, the next run finds it out', () => {
  const kinds: Fault[] = ['killed before', 'killed after']
  const all = acts.flatMap((act, at) => kinds.map((kind) => ({ act, at, kind })))

  test.each(all)('$act: $kind', async ({ at, kind }) => {
    const rehearsal = new Rehearsal(earlier)
    const { oid } = rehearsal.postgres.get('shop')
    void rehearsal.run({ fault: { at, kind } })
    await expect.poll(() => rehearsal.acts, { interval: 1 }).toBe(at + 1)
    // The acts of a machine take a few turns, and a killed program sees no end of them.
    await new Promise((resolve) => setImmediate(resolve))
    later()
    const next = await rehearsal.run()
    const name = `${acts[at]} ${kind}`
    if (name === 'close the door killed before' || name === 'mark as finished killed after') {
      expect(next.error).toBeUndefined()
      return
    }
    expect(next.error).toMatchObject({
      message: expect.stringContaining('a reset of shop on pg-1 did not finish'),
      next: 'npx tsx tasks/pg-reset.ts --database shop --undo',
    })
    later()
    const undone = await rehearsal.run({ flags: { database: 'shop', undo: true } })
    expect(undone.error).toBeUndefined()
    expectOldOne(rehearsal, oid)
    later()
    expect((await rehearsal.run()).error).toBeUndefined()
  })
})

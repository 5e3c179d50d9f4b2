import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { openLab } from '../lab.ts'
import { provisionPostgres } from '../postgres.ts'
import { type Outcome, Stage, type TaskLine } from './stage.ts'

const lab = openLab()
let stage: Stage

beforeAll(async () => {
  await provisionPostgres(lab)
  stage = await Stage.open(lab)
})
afterAll(async () => stage.close())
beforeEach(async () => stage.reset())

/** Beginnings of the titles of all steps, in order. */
const steps = [
  'Find the primary',
  'Look at',
  'Close the door',
  'Rename',
  'Create an empty weltenwind',
  'Create an empty weltenwind_shadow',
  'Migrate',
  'Seed',
  'Prove',
  'Mark',
]

function begins(step: string, { event, state, title }: TaskLine): boolean {
  return event === 'step' && state === 'started' && title?.startsWith(step) === true
}

async function brokenOff(signal: NodeJS.Signals, step: string): Promise<Outcome> {
  let sent = false
  const outcome = await stage.pgReset(['--yes'], (line, kill) => {
    if (sent || !begins(step, line)) return
    sent = true
    kill(signal)
  })
  expect(sent).toBe(true)
  return outcome
}

describe('the controller is killed with -9', () => {
  test.each(steps)('at the step "%s"', async (step) => {
    const outcome = await brokenOff('SIGKILL', step)
    expect(outcome.code).not.toBe(0)
    expect(await stage.leftovers('pg-primary')).toEqual([])
    expect(await stage.leftovers('vm-app')).toEqual([])
    expect(await stage.whereOldDataIs()).toMatch(/^weltenwind/)

    // The next run either does the whole job, or changes nothing and names the one command that repairs it.
    const next = await stage.pgReset(['--yes'])
    if (next.code !== 0) {
      expect(next.error).toMatch(/did not finish[^]*npx tsx tasks\/pg-reset\.ts --database weltenwind --undo/)
      expect((await stage.pgReset(['--undo'])).error).toBe('')
      expect(await stage.whereOldDataIs()).toBe('weltenwind')
    } else {
      expect(await stage.whereOldDataIs()).toMatch(/^weltenwind__before_reset_/)
      expect(await stage.rows('weltenwind')).toBe(5)
    }
  })
})

describe('Ctrl-C', () => {
  test.each(steps)('at the step "%s"', async (step) => {
    const outcome = await brokenOff('SIGINT', step)
    expect(outcome).toMatchObject({ code: 130, error: expect.stringContaining('cancelled by Ctrl-C') })
    expect(await stage.whereOldDataIs()).toBe('weltenwind')
    expect(await stage.databases()).toContainEqual(
      expect.objectContaining({ name: 'weltenwind', open: true }),
    )
    expect(await stage.leftovers('pg-primary')).toEqual([])
    expect(await stage.leftovers('vm-app')).toEqual([])
  })

  test('twice: at once, and the machine ends what was running', async () => {
    await stage.script('seed', `#!/bin/sh\ntrap '' TERM\necho seeding\nwhile :; do sleep 1; done\n`)
    const outcome = await stage.pgReset(['--yes'], ({ event, text }, kill) => {
      if (event === 'progress') kill('SIGINT')
      // Later than what is taken for an echo of the first one.
      if (text?.startsWith('Ctrl-C')) setTimeout(() => kill('SIGINT'), 700)
    })
    expect(outcome).toMatchObject({ code: 130, error: expect.stringContaining('stopped at once') })
    expect(await stage.leftovers('vm-app')).toEqual([])
    expect(await stage.whereOldDataIs()).toMatch(/^weltenwind__before_reset_/)
    expect((await stage.pgReset(['--undo'])).error).toBe('')
    expect(await stage.whereOldDataIs()).toBe('weltenwind')
  })
})

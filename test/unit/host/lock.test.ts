import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import type { Attempt, Holder } from '../../../lib/host/lock.ts'
import { lockIn } from './lock-in.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-lock-'))
})
afterEach(() => rm(folder, { recursive: true }))

const anna: Holder = { who: 'anna@desk', task: 'pg-reset', since: '2026-11-21T02:14:11.000Z' }
const berta: Holder = { who: "berta o'hara@desk", task: 'pg-backup', since: '2026-11-21T02:15:00.000Z' }

async function take(name: string, holder: Holder): Promise<Extract<Attempt, { held: true }>> {
  const attempt = await lockIn(folder, name, holder)
  if (!attempt.held) throw new Error(`held by ${attempt.by}`)
  return attempt
}

test('the second one is told who holds it, and gets it when the first one is done', async () => {
  const first = await take('pg/shop', berta)
  const second = await lockIn(folder, 'pg/shop', anna)
  expect(second).toEqual({ held: false, by: JSON.stringify(berta) })
  await first.release()
  const third = await take('pg/shop', anna)
  expect(await lockIn(folder, 'pg/shop', berta)).toEqual({ held: false, by: JSON.stringify(anna) })
  await third.release()
})

test('a shorter holder leaves nothing of a longer one in the file', async () => {
  await (await take('pg/shop', { ...berta, who: 'b'.repeat(500) })).release()
  const lock = await take('pg/shop', anna)
  expect(await readFile(join(folder, 'pg.shop'), 'utf8')).toBe(`${JSON.stringify(anna)}\n`)
  await lock.release()
})

test('locks of other names do not stand in the way', async () => {
  const locks = [await take('pg/shop', anna), await take('pg/blog', berta)]
  for (const lock of locks) await lock.release()
})

test('a holder that is killed on the machine has lost it, is told, and blocks nobody', async () => {
  const first = await take('pg/shop', anna)
  const number = Number(await readFile(join(folder, 'number'), 'utf8'))
  process.kill(number, 'SIGKILL')
  expect((await first.lost).message).toContain('here: the lock pg/shop was lost')
  await (await take('pg/shop', berta)).release()
})

test('it ends with the program that took it, killed with -9', async () => {
  const program = spawn(
    process.execPath,
    ['--import', 'tsx', join(import.meta.dirname, 'lock-in.ts'), folder],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await new Promise((resolve) => program.stdout.once('data', resolve))
  expect(await lockIn(folder, 'pg/shop', anna)).toMatchObject({ held: false })
  program.kill('SIGKILL')
  await expect.poll(() => take('pg/shop', anna).then((lock) => lock.release())).toBeUndefined()
})

test('what goes wrong on the machine is no held lock', async () => {
  await expect(lockIn('/proc/nowhere', 'pg/shop', anna)).rejects.toThrow(/the lock pg\/shop was lost.*mkdir/s)
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { usersOf } from '../../../../lib/backup/folder/users.ts'
import { here } from './here.ts'

let folder = ''

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "it's used [1] ")))
  await mkdir(join(folder, 'x', 'deep'), { recursive: true })
  await mkdir(join(folder, 'xy'))
})

afterAll(() => rm(folder, { recursive: true }))

test('who is in the folder is named, and who is beside it is not', async () => {
  const inside = spawn('sleep', ['60'], { cwd: join(folder, 'x', 'deep') })
  const beside = spawn('sleep', ['60'], { cwd: join(folder, 'xy') })
  try {
    await Promise.all([once(inside, 'spawn'), once(beside, 'spawn')])
    expect(await usersOf(here, join(folder, 'x'))).toEqual([
      expect.stringContaining(`sleep (pid ${inside.pid}`),
    ])
    expect(await usersOf(here, join(folder, 'none'))).toEqual([])
  } finally {
    inside.kill()
    beside.kill()
  }
})

import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { dropScratch, leftovers, makeScratch, scratchPath } from '../../../../lib/backup/folder/scratch.ts'
import { here } from './here.ts'

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "it's scratch "))
})

afterAll(() => rm(folder, { recursive: true }))

test('ours are told from what only has such a name, and nobody else looks into them', async () => {
  const path = join(folder, 'x')
  const scratch = scratchPath(path, 'verify', new Date('2026-11-28T04:00:00Z'))
  expect(scratch).toBe(`${path}__verify_20261128T040000Z`)
  await makeScratch(here, scratch)
  expect((await stat(scratch)).mode & 0o777).toBe(0o700)
  const unmarked = `${path}__verify_20260101T040000Z`
  await mkdir(unmarked)
  const others = `${path}__verify_20250101T040000Z`
  await mkdir(others)
  await writeFile(join(others, 'mine'), '')
  await symlink(others, `${path}__verify_20240101T040000Z`)
  await makeScratch(here, scratchPath(path, 'restore', new Date()))
  expect(await leftovers(here, path, 'verify')).toEqual({ ours: [unmarked, scratch], others: [others] })

  await dropScratch(here, scratch)
  await dropScratch(here, unmarked)
  expect(await leftovers(here, path, 'verify')).toEqual({ ours: [], others: [others] })
})

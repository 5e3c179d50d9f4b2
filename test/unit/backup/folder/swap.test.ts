import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { keptPath, newestKept, swapFolders } from '../../../../lib/backup/folder/swap.ts'
import { failure } from '../../doubles.ts'
import { here } from './here.ts'

let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "it's a swap "))
})

afterEach(() => rm(folder, { recursive: true }))

async function make(name: string, file?: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(path)
  if (file !== undefined) await writeFile(join(path, file), '')
  return path
}

test('the new one has the place, and the old one is put aside', async () => {
  const [from, to] = [await make('new', 'b'), await make('x', 'a')]
  const aside = keptPath(to, new Date('2026-11-28T02:30:00Z'))
  await swapFolders(here, { from, to, aside })
  expect(aside).toBe(`${to}__before_restore_20261128T023000Z`)
  expect([await readdir(to), await readdir(aside)]).toEqual([['b'], ['a']])
})

test('an empty folder makes way, and one that is empty no more does not', async () => {
  const [from, to] = [await make('new', 'b'), await make('x')]
  await swapFolders(here, { from, to, aside: undefined })
  expect(await readdir(to)).toEqual(['b'])
  const again = await make('newer', 'c')
  await failure(swapFolders(here, { from: again, to, aside: undefined }))
  expect([await readdir(to), await readdir(again)]).toEqual([['b'], ['c']])
})

test('when the new one cannot be renamed, the old one has its place again', async () => {
  const to = await make('x', 'a')
  await failure(swapFolders(here, { from: join(folder, 'none'), to, aside: `${to}__before` }))
  expect(await readdir(folder)).toEqual(['x'])
})

test('a name that is taken is not written over, and nothing is moved', async () => {
  const [from, to, aside] = [await make('new', 'b'), await make('x', 'a'), await make('kept', 'c')]
  await failure(swapFolders(here, { from, to, aside }))
  expect([await readdir(from), await readdir(to), await readdir(aside)]).toEqual([['b'], ['a'], ['c']])
})

test('the newest of those that were kept is found, whatever else is beside it', async () => {
  const path = join(folder, 'x')
  expect((await failure(newestKept(here, path))).message).toBe(
    `there is no kept copy of ${path} on here; nothing was changed`,
  )
  for (const name of ['20261128T023000Z', '20261201T023000Z', '20250101T000000Z', 'zzz']) {
    await make(`x__before_restore_${name}`)
  }
  await writeFile(`${path}__before_restore_20300101T000000Z`, '')
  expect(await newestKept(here, path)).toBe(`${path}__before_restore_20261201T023000Z`)
})

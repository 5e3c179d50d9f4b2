import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { InventoryError } from '../../../lib/inventory/errors.ts'
import { loadEstate } from '../../../lib/inventory/load.ts'
import { SecretRef } from '../../../lib/inventory/secrets.ts'
import { sample } from './sample.ts'

let folder = ''
let file = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inventory-'))
  file = join(folder, 'inventory.json')
})
afterEach(() => rm(folder, { recursive: true }))

async function refusal(path: string): Promise<string> {
  const error: unknown = await loadEstate(path, {}).catch((reason: unknown) => reason)
  if (error instanceof InventoryError) return error.message
  throw new Error('it was loaded')
}

test('reads the inventory and the .env beside it', async () => {
  await writeFile(file, JSON.stringify(sample()))
  await writeFile(join(folder, '.env'), 'KEY=from the file\nSUDO=from the file\n', { mode: 0o600 })
  const estate = await loadEstate(relative(process.cwd(), file), { SUDO: 'from the environment' })
  expect(estate).toMatchObject({ name: 'sample', file, secretsFile: join(folder, '.env'), warnings: [] })
  expect(estate.secret(SecretRef.parse('env:KEY'))).toBe('from the file')
  expect(estate.secret(SecretRef.parse('env:SUDO'))).toBe('from the environment')
})

test('no inventory: which path was tried, and what to do', async () => {
  expect(await refusal(file)).toBe(
    `${file}:1:1 there is no inventory at ${file}. Copy inventory.json from the repository there, or name another one with --inventory FILE`,
  )
  expect(await refusal(join(file, 'inside'))).toContain(`there is no inventory at ${join(file, 'inside')}`)
})

test('a folder instead of a file', async () => {
  await mkdir(file)
  expect(await refusal(file)).toBe(
    `${file}:1:1 ${file} is a directory. Try --inventory ${join(file, 'inventory.json')}`,
  )
})

test('bytes that are no text', async () => {
  await writeFile(file, Buffer.from([0x7b, 0xff, 0x7d]))
  expect(await refusal(file)).toBe(`${file}:1:1 is not UTF-8 text. Save it as UTF-8 in your editor`)
})

test('a file that cannot be read for another reason tells it', async () => {
  await symlink(file, file)
  expect(await refusal(file)).toMatch(/cannot be read: ELOOP/)
})

test('UTF-8 with a byte order mark, and UTF-16, as editors on Windows save', async () => {
  const text = JSON.stringify(sample())
  await writeFile(file, `\uFEFF${text}`)
  expect((await loadEstate(file, {})).name).toBe('sample')
  await writeFile(file, Buffer.from(`\uFEFF${text}`, 'utf16le'))
  expect((await loadEstate(file, {})).name).toBe('sample')
})

test('a .env that cannot be read comes together with what is wrong in the inventory', async () => {
  await writeFile(file, '{ "estate": "x", "host": {} }')
  await mkdir(join(folder, '.env'))
  const lines = (await refusal(file)).split('\n')
  expect(lines).toHaveLength(2)
  expect(lines[0]).toBe(`${file}:1:18 host: there is no "host" here. Did you mean "hosts"?`)
  expect(lines[1]).toContain(`${join(folder, '.env')}:1:1 cannot be read: EISDIR`)
})

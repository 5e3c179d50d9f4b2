import { chmod, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { archiveHash, archiveToStore, lookAtFolder } from '../../../../lib/backup/folder/archive.ts'
import { rejection } from '../../doubles.ts'
import { here as host } from './here.ts'

const recipients = [await identityToRecipient(await generateX25519Identity())]
const store = {
  writeStream: async (_key: string, content: Readable) => {
    for await (const _ of content);
  },
}
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "it's a folder "))
  await mkdir(join(folder, 'deep'))
  await writeFile(join(folder, 'one'), 'one')
  await writeFile(join(folder, 'deep', 'two\nlines'), 'two')
  await symlink('one', join(folder, 'link'))
})

afterAll(() => rm(folder, { recursive: true }))

test('its files are counted, whatever they are called, and its folders are not', async () => {
  const { bytes, tar } = await lookAtFolder(host, folder)
  expect(tar).toMatch(/^tar \(GNU tar\) \d/)
  expect(bytes).toBeGreaterThan(0)
  const place = { at: 'x/', recipients }
  const { part, files, warnings } = await archiveToStore(
    store,
    place,
    { host, path: folder, bytes },
    () => {},
  )
  expect([part.name, files, warnings]).toEqual(['archive.tar.age', 3, []])
})

test('one that is not there is named', async () => {
  expect(await rejection(lookAtFolder(host, `${folder}/none`))).toMatchObject({
    message: `there is no folder ${folder}/none on here`,
  })
  const archive = archiveToStore(
    store,
    { at: 'x/', recipients },
    { host, path: `${folder}/none`, bytes: 0 },
    () => {},
  )
  expect(await rejection(archive)).toMatchObject({ seen: expect.stringContaining('No such file') })
})

test('the same content makes the same archive, whenever it is read, and what differs another one', async () => {
  const place = { at: 'x/', recipients }
  const { part } = await archiveToStore(store, place, { host, path: folder, bytes: 0 }, () => {})
  const before = new Date('2020-01-01T00:00:00Z')
  await utimes(join(folder, 'one'), before, before)
  const other = await archiveHash(host, folder)
  expect(other).not.toBe(part.plain.sha256)
  // Only the times of reading and of the last change of anything are other ones now.
  await readFile(join(folder, 'one'))
  await chmod(join(folder, 'one'), 0o600)
  const rights = await archiveHash(host, folder)
  expect(rights).not.toBe(other)
  await chmod(join(folder, 'one'), 0o644)
  expect(await archiveHash(host, folder)).toBe(other)
})

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { archiveToStore, lookAtFolder } from '../../../../lib/backup/folder/archive.ts'
import { Access, Host } from '../../../../lib/host/host.ts'
import { LocalMachine } from '../../../../lib/host/local.ts'
import { RecordedRun, rejection } from '../../doubles.ts'

const recipients = [await identityToRecipient(await generateX25519Identity())]
const machine = new LocalMachine('here')
const host = new Host(new Access(machine, async () => undefined), new RecordedRun(), machine.loginUser)
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
  const { bytes } = await lookAtFolder(host, folder)
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

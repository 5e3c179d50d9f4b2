import { mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { compareArchive, unpackArchive } from '../../../../lib/backup/folder/unpack.ts'
import { BadBackup } from '../../../../lib/backup/verdict.ts'
import { Access, Host } from '../../../../lib/host/host.ts'
import { TaskError } from '../../../../lib/task/errors.ts'
import { failure, RecordedRun, type Script, ScriptedMachine } from '../../doubles.ts'
import { here } from './here.ts'

let folder = ''
let into = ''
let archive: Buffer

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-unpack-'))
  into = join(folder, 'into')
  await mkdir(join(folder, 'from'))
  await writeFile(join(folder, 'from', 'one'), 'one')
  await symlink('one', join(folder, 'from', 'link'))
  await here.read`tar --create --file ${join(folder, 'a.tar')} --directory ${join(folder, 'from')} .`
  archive = await readFile(join(folder, 'a.tar'))
})

beforeEach(async () => {
  await rm(into, { recursive: true, force: true })
  await mkdir(into)
})

afterAll(() => rm(folder, { recursive: true }))

function content(bytes: Uint8Array): Readable {
  return Readable.from([bytes])
}

function scripted(script: Script): Host {
  const access = new Access(new ScriptedMachine('vm', script), async () => undefined)
  return new Host(access, new RecordedRun(), 'root')
}

test('what was archived is there, and tar finds no difference', async () => {
  expect(await unpackArchive(here, into, content(archive))).toEqual([])
  expect(await readFile(join(into, 'one'), 'utf8')).toBe('one')
  expect(await readlink(join(into, 'link'))).toBe('one')
  expect(await compareArchive(here, into, content(archive))).toEqual([])
})

test('what differs is told', async () => {
  await unpackArchive(here, into, content(archive))
  await writeFile(join(into, 'one'), 'more')
  await rm(join(into, 'link'))
  expect((await compareArchive(here, into, content(archive))).join('\n')).toMatch(
    /\.\/one: Size differs|\.\/link: Warning: Cannot (read link|stat)/,
  )
})

test('a comparison that was ended is no agreement', async () => {
  const killed = scripted(({ script, say }) => {
    expect(script).toMatch(/case \$code in 0 \| 1 \| 141\) ;; \*\) echo "tar ended with exit code \$code"/)
    say('tar ended with exit code 137\n')
    return 0
  })
  expect(await compareArchive(killed, into, content(archive))).toEqual(['tar ended with exit code 137'])
})

test('an archive that is none is the fault of the backup; a full disk is not', async () => {
  const error = await failure(unpackArchive(here, into, content(Buffer.alloc(20_480, 'no archive '))))
  expect(error).toBeInstanceOf(BadBackup)
  expect(error).toMatchObject({ seen: expect.stringContaining('does not look like a tar archive') })

  const full = scripted(({ complain }) => {
    complain('tar: ./big: Wrote only 512 of 10240 bytes: No space left on device\n')
    return 2
  })
  const other = await failure(unpackArchive(full, '/srv/x', content(archive)))
  expect(other).toBeInstanceOf(TaskError)
  expect(other).not.toBeInstanceOf(BadBackup)
  expect(other).toMatchObject({ next: 'make room on vm: df -h /srv/x; df -i /srv/x' })
})

async function* cutOff(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 1024)
  throw new TaskError('no answer from the store')
}

test('an archive that breaks off in the middle is told by its own error', async () => {
  expect((await failure(unpackArchive(here, into, Readable.from(cutOff(archive))))).message).toBe(
    'no answer from the store',
  )
})

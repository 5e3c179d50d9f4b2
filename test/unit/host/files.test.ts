import { chown, lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { Escalation } from '../../../lib/host/escalation.ts'
import { Access, Host } from '../../../lib/host/host.ts'
import { LocalMachine } from '../../../lib/host/local.ts'
import { quote } from '../../../lib/host/quote.ts'
import { originOf } from '../../../lib/host/shell.ts'
import { RecordedRun, rejection } from '../doubles.ts'

/** As if its disk took no more than this: what is longer is cut off in the middle of writing. */
class SmallDisk extends LocalMachine {
  override start(line: string, escalation: Escalation) {
    return super.start(
      `bash -c 'trap "" XFSZ; ulimit -f 8; ${line.replaceAll("'", String.raw`'\''`)}'`,
      escalation,
    )
  }
}

/** As if the cable were cut: of what is sent, only the beginning arrives. */
class CutCable extends LocalMachine {
  override start(line: string, escalation: Escalation) {
    return super.start(`bash -c ${quote(`head -c 9 | ${line}`)}`, escalation)
  }
}

let folder = ''
let file = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hausmeister files-'))
  file = join(folder, "it's app.conf")
})
afterEach(() => rm(folder, { recursive: true }))

function hostOf(
  machine = new LocalMachine('here'),
  run = new RecordedRun(),
): { host: Host; run: RecordedRun } {
  const access = new Access(machine, async () => undefined)
  return { host: new Host(access, run, machine.loginUser), run }
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8)
}

describe('readFile', () => {
  test.each(['one\n\ntwo', 'there\n', '\n', 'ä 🏠'])('%o', async (text) => {
    await writeFile(file, text)
    expect(await hostOf().host.readFile(file)).toBe(text)
  })

  test('an empty file is there, a missing one is not', async () => {
    await writeFile(file, '')
    expect(await hostOf().host.readFile(file)).toBe('')
    expect(await hostOf().host.readFile(join(folder, 'missing'))).toBeUndefined()
  })

  test('what cannot be read is an error that says where', async () => {
    const error = await rejection(hostOf().host.readFile(folder))
    expect(error).toMatchObject({ stderr: expect.stringContaining('Is a directory') })
    expect(originOf(error)).toMatchObject({ host: 'here' })
  })
})

describe('write', () => {
  test('a new file', async () => {
    const { host, run } = hostOf()
    await host.write(file, 'listen 80;\n')
    expect(await readFile(file, 'utf8')).toBe('listen 80;\n')
    expect(await modeOf(file)).toBe('644')
    expect(run.changes).toMatchObject([{ state: 'done', command: `write ${file} (mode 644)` }])
    expect(await readdir(folder)).toEqual(["it's app.conf"])
  })

  test('shows a diff', async () => {
    const { host, run } = hostOf()
    await writeFile(file, 'a\nb\nc\n')
    await host.write(file, 'a\nB\nc\n')
    expect(run.changes[0]?.input).toContain('\n a\n-b\n+B\n c\n')
  })

  test('nothing when it is so already', async () => {
    const { host, run } = hostOf()
    await host.write(file, 'same\n', { mode: 0o600 })
    const before = await stat(file)
    await host.write(file, 'same\n', { mode: 0o600, owner: host.user })
    await host.write(file, 'same\n')
    expect(run.changes.map(({ state }) => state)).toEqual(['done', 'unchanged', 'unchanged'])
    expect((await stat(file)).ino).toBe(before.ino)
  })

  test('keeps the mode that is there', async () => {
    await writeFile(file, 'old', { mode: 0o640 })
    await hostOf().host.write(file, 'new')
    expect(await modeOf(file)).toBe('640')
  })

  test('a mode alone is a change', async () => {
    const { host, run } = hostOf()
    await writeFile(file, 'same', { mode: 0o644 })
    await host.write(file, 'same', { mode: 0o600 })
    expect(await modeOf(file)).toBe('600')
    expect(run.changes.map(({ state }) => state)).toEqual(['done'])
  })

  test('keeps an owner that has no name here', async () => {
    await writeFile(file, 'old')
    const { uid } = await stat(file)
    const owner = uid === 0 ? 54_321 : uid
    await chown(file, owner, -1)
    await hostOf().host.write(file, 'new')
    expect((await stat(file)).uid).toBe(owner)
    expect(await readFile(file, 'utf8')).toBe('new')
  })

  test('an owner that does not exist is an error, and the old file stays', async () => {
    const { host, run } = hostOf()
    await writeFile(file, 'old')
    await rejection(host.write(file, 'new', { owner: 'no-such-user' }))
    expect(await readFile(file, 'utf8')).toBe('old')
    expect(run.changes.map(({ state }) => state)).toEqual(['failed'])
    expect(await readdir(folder)).toEqual(["it's app.conf"])
  })

  test('where a link points to, with the mode of the file and not of the link', async () => {
    const link = join(folder, 'link.conf')
    await writeFile(file, 'old', { mode: 0o600 })
    await symlink(file, link)
    await hostOf().host.write(link, 'new')
    expect((await lstat(link)).isSymbolicLink()).toBe(true)
    expect(await readFile(file, 'utf8')).toBe('new')
    expect(await modeOf(file)).toBe('600')
  })

  test('when the disk is full, the old file stays and no half one beside it', async () => {
    const { host, run } = hostOf(new SmallDisk('here'))
    await writeFile(file, 'old')
    const error = await rejection(host.write(file, 'new '.repeat(10_000)))
    expect(error).toMatchObject({ stderr: expect.stringContaining('File too large') })
    expect(await readFile(file, 'utf8')).toBe('old')
    expect(run.changes.map(({ state }) => state)).toEqual(['failed'])
    expect(await readdir(folder)).toEqual(["it's app.conf"])
  })

  test('when only a part of it arrives, the old file stays', async () => {
    const { host, run } = hostOf(new CutCable('here'))
    await writeFile(file, 'old')
    await rejection(host.write(file, 'listen 80;\nlisten 443;\n'))
    expect(await readFile(file, 'utf8')).toBe('old')
    expect(run.changes.map(({ state }) => state)).toEqual(['failed'])
    expect(await readdir(folder)).toEqual(["it's app.conf"])
  })

  test('a dry run writes nothing', async () => {
    const { host, run } = hostOf(new LocalMachine('here'), new RecordedRun({ dryRun: true }))
    await host.write(file, 'new\n')
    expect(run.changes).toMatchObject([
      { state: 'would', command: `write ${file} (mode 644)`, input: expect.stringContaining('+new') },
    ])
    expect(await readdir(folder)).toEqual([])
  })
})

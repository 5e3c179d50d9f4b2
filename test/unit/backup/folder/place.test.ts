import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { checkPlaceRoom, checkRename, lookAtPlace, type Place } from '../../../../lib/backup/folder/place.ts'
import { Access, Host } from '../../../../lib/host/host.ts'
import { TaskError } from '../../../../lib/task/errors.ts'
import { RecordedRun, ScriptedMachine } from '../../doubles.ts'
import { here } from './here.ts'

let folder = ''

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "it's a place ")))
  await mkdir(join(folder, 'empty'))
  await writeFile(join(folder, 'file'), '')
  await symlink('empty', join(folder, 'link'))
})

afterAll(() => rm(folder, { recursive: true }))

function refusal(work: () => void): TaskError {
  try {
    work()
  } catch (error) {
    if (error instanceof TaskError) return error
    throw error
  }
  throw new Error('it was not refused')
}

test('what is there is told, and where a link leads', async () => {
  const look = (name: string) => lookAtPlace(here, join(folder, name))
  expect(await look('')).toMatchObject({ real: folder, there: 'a folder', mounts: [] })
  expect(await look('file')).toMatchObject({ there: 'no folder', above: folder })
  const empty = await look('empty')
  expect(empty).toMatchObject({ there: 'an empty folder', identity: expect.stringMatching(/^\d+:\d+$/) })
  expect(await look('link')).toEqual({ ...empty, free: expect.any(Number), freeNames: expect.anything() })
  expect(await look('none/deep/er')).toMatchObject({ there: 'nothing', above: folder, identity: undefined })
})

test('mounts there and below are found, and others are not', async () => {
  const lines = [
    '30 1 0:5 / / rw - ext4 /dev/vda rw',
    String.raw`31 30 0:6 / /srv/a\040b rw - ext4 /dev/vdb rw`,
    String.raw`32 31 0:7 / /srv/a\040b/c rw - tmpfs none rw`,
    '33 30 0:8 / /srv/ab rw - tmpfs none rw',
  ]
  const machine = new ScriptedMachine('vm', ({ script, say }) => {
    if (script.includes('mountinfo')) say(`/srv/a b\na folder\n/srv\n 1000  0\n${lines.join('\n')}\n`)
    return 0
  })
  const host = new Host(new Access(machine, async () => undefined), new RecordedRun(), 'root')
  expect(await lookAtPlace(host, '/srv/a b')).toMatchObject({
    free: 1000,
    freeNames: undefined,
    mounts: ['/srv/a b', '/srv/a b/c'],
  })
})

describe('refused', () => {
  const place: Place = {
    real: '/srv/x',
    identity: '1:2',
    there: 'a folder',
    above: '/srv',
    free: 1000,
    freeNames: 5,
    mounts: [],
  }

  test('what cannot be renamed, each with what to do', () => {
    const check = (changes: Partial<Place>) =>
      refusal(() => checkRename('vm', '/srv/x', { ...place, ...changes }))
    checkRename('vm', '/srv/x', place)
    expect(check({ real: '/' }).message).toBe('/ cannot be replaced by a rename')
    expect(check({ there: 'no folder' })).toMatchObject({ message: '/srv/x on vm is no folder' })
    expect(check({ mounts: ['/srv/x', '/srv/x/y'] })).toMatchObject({
      message: '/srv/x on vm is a mount point, which cannot be renamed',
      next: expect.stringMatching(/--into vm:\/srv\/x\/restored; or unmount it first: umount \/srv\/x$/),
    })
    expect(check({ mounts: ['/srv/x/y', '/srv/x/y/z'] })).toMatchObject({
      message: expect.stringMatching(/stay with the old folder: \/srv\/x\/y, \/srv\/x\/y\/z$/),
      next: 'unmount it first: umount /srv/x/y/z /srv/x/y',
    })
  })

  test('no room for the bytes, or for the names', () => {
    checkPlaceRoom('vm', place, { bytes: 1000, files: 5 })
    checkPlaceRoom('vm', { ...place, freeNames: undefined }, { bytes: 1000, files: 6 })
    expect(refusal(() => checkPlaceRoom('vm', place, { bytes: 1001, files: 5 })).message).toMatch(
      /^\/srv on vm has .* free, and the folder needs /,
    )
    expect(refusal(() => checkPlaceRoom('vm', place, { bytes: 1, files: 6 })).next).toBe(
      'make room on vm: df -i /srv',
    )
  })
})

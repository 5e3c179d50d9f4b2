import { expect, test } from 'vitest'

import { folderPreflight, folderTarget } from '../../../../lib/backup/folder/target.ts'
import { type RestoreFlags, restoreSubject } from '../../../../lib/backup/restore-flags.ts'
import { parseFolder } from '../../../../lib/backup/subject.ts'
import { EstateError } from '../../../../lib/inventory/errors.ts'
import { TaskError } from '../../../../lib/task/errors.ts'
import { estateOf } from '../../doubles.ts'

const store = {
  endpoint: 'http://192.0.2.9:9000',
  bucket: 'backups',
  accessKey: 'env:KEY',
  secretKey: 'env:SECRET',
}
const folders = [
  { host: 'web', path: '/srv/uploads' },
  { host: 'web', path: '/srv/trial', environment: 'test' },
]
const hosts = { web: {}, spare: {} }
const recipients = [`age1${'q'.repeat(58)}`]
const estate = await estateOf({ hosts, backup: { store, recipients, identity: 'env:IDENTITY', folders } })
const uploads = parseFolder('web:/srv/uploads')
const flags: RestoreFlags = { folder: 'web:/srv/uploads', undo: false }

test('a folder is production, unless the inventory says that it is not', () => {
  expect(folderTarget(estate, uploads, {})).toEqual({
    host: 'web',
    path: '/srv/uploads',
    environment: 'production',
  })
  expect(folderTarget(estate, uploads, { into: 'web:/srv/trial' })).toMatchObject({ environment: 'test' })
  expect(folderTarget(estate, uploads, { into: 'spare:/srv/x' })).toEqual({
    host: 'spare',
    path: '/srv/x',
    environment: 'production',
  })
  expect(() => folderTarget(estate, uploads, { into: 'spaer:/srv/x' })).toThrow(EstateError)
  expect(() => folderTarget(estate, uploads, { into: 'spare' })).toThrow('"spare" names no folder')
})

test('what flags alone tell is told beforehand', () => {
  expect(folderPreflight(estate, uploads, { ...flags, confirm: 'web:/srv' })).toMatchObject({
    problems: ['--confirm web:/srv does not name the folder web:/srv/uploads'],
    reach: [[{ host: 'web', as: 'root' }]],
  })
  const elsewhere = folderPreflight(estate, uploads, {
    ...flags,
    into: 'spare:/srv/x',
    confirm: 'spare:/srv/x',
  })
  expect(elsewhere).toMatchObject({ problems: [], reach: [[{ host: 'spare', as: 'root' }]] })
  expect(elsewhere.secrets).toContain('env:IDENTITY')
  // The old one is on the machine itself: it needs neither store nor key.
  expect(
    folderPreflight(estate, uploads, { ...flags, undo: true, backup: '20261128T023000Z' }),
  ).toMatchObject({
    problems: [expect.stringContaining('--undo goes with')],
    secrets: [],
  })
})

test('one thing at a time', () => {
  expect(restoreSubject(estate, flags)).toEqual(uploads)
  expect(() => restoreSubject(estate, { undo: false })).toThrow(TaskError)
  expect(() => restoreSubject(estate, { ...flags, database: 'shop' })).toThrow('one thing at a time')
  expect(() => restoreSubject(estate, { database: 'shop', into: 'web:/x', undo: false })).toThrow(
    '--into goes with --folder',
  )
})

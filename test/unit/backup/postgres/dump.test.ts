import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { dumpToStore } from '../../../../lib/backup/postgres/dump.ts'
import { Access, Host } from '../../../../lib/host/host.ts'
import { LocalMachine } from '../../../../lib/host/local.ts'
import { RecordedRun, rejection } from '../../doubles.ts'

/** Answers each question by a line; a snapshot is one more than the last. */
const psql = `#!/bin/bash
while IFS= read -r line; do
  case $line in
    '\\echo '*) echo "\${line#??????}" ;;
    *pg_export_snapshot*)
      echo x >> "\${0%/*}/snapshots"
      echo '[{"id":"'$(wc -l < "\${0%/*}/snapshots")'","now":"2026-11-24T02:30:00Z","replayed":null}]' ;;
    *json_agg*) echo '[]' ;;
  esac
done`

/** Fails for as many snapshots as its folder says, in PostgreSQL's words. */
const pgDump = `#!/bin/bash
for word; do case $word in --snapshot=*) id=\${word#*=} ;; esac; done
if [ "$id" -le "$(cat "\${0%/*}/failures")" ]; then
  cat "\${0%/*}/words" >&2
  exit 1
fi
echo "dump of snapshot $id"`

let folder = ''
let recipient = ''

beforeAll(async () => {
  recipient = await identityToRecipient(await generateX25519Identity())
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-dump-'))
  await writeFile(join(folder, 'psql'), psql, { mode: 0o755 })
  await writeFile(join(folder, 'pg_dump'), pgDump, { mode: 0o755 })
})

beforeEach(() => rm(join(folder, 'snapshots'), { force: true }))
afterAll(() => rm(folder, { recursive: true }))

async function dump(failures: number, words: string) {
  await writeFile(join(folder, 'failures'), String(failures))
  await writeFile(join(folder, 'words'), words)
  const host = new Host(
    new Access(new LocalMachine('here'), async () => undefined),
    new RecordedRun(),
    new LocalMachine('here').loginUser,
  )
  const kept: string[] = []
  const store = {
    writeStream: async (key: string, content: Readable) => {
      await content.toArray()
      kept.push(key)
    },
  }
  const programs = {
    server: 'db',
    host,
    place: 'here',
    inside: [],
    connection: (database: string) => database,
    flags: [],
    settings: [],
    password: '',
    folder,
    version: '17.6',
    compression: [],
  }
  const again: string[] = []
  const dumped = dumpToStore(
    store,
    { at: 'at/', recipients: [recipient] },
    { programs, database: 'shop', bytes: 0, behind: undefined },
    () => {},
    (why) => again.push(why),
  )
  return { dumped, kept, again }
}

async function snapshots(): Promise<number> {
  return (await readFile(join(folder, 'snapshots'), 'utf8')).split('\n').length - 1
}

const vanished = [
  'pg_dump: error: query failed: ERROR:  relation with OID 16400 does not exist',
  'pg_dump: error: query failed: ERROR:  relation "public.gone" does not exist',
  'pg_dump: error: query failed: ERROR:  could not open relation with OID 16400',
]

test.each(vanished)('begins again with another snapshot, and tells: %s', async (words) => {
  const { dumped, kept, again } = await dump(1, words)
  expect(await dumped).toMatchObject({ contents: { tables: {} }, part: { plain: { bytes: 19 } } })
  expect([await snapshots(), kept, again]).toEqual([
    2,
    ['at/dump.age'],
    ['a table was dropped while its dump began, which begins again without it'],
  ])
})

test('gives up after the third', async () => {
  const { dumped, kept, again } = await dump(9, vanished[0] ?? '')
  expect(await rejection(dumped)).toMatchObject({
    message: expect.stringMatching(/^the dump of shop failed: /),
    next: expect.stringContaining('run it again'),
  })
  expect([await snapshots(), kept, again.length]).toEqual([3, [], 2])
})

test('another failure is told at once', async () => {
  const { dumped, again } = await dump(1, 'pg_dump: error: query failed: ERROR:  permission denied')
  expect(await rejection(dumped)).toMatchObject({ seen: expect.stringContaining('permission denied') })
  expect([await snapshots(), again]).toEqual([1, []])
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { makeBucket, objects, pieces, pipeObject } from './bucket.ts'
import { begins, notes, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { members, MongoStage } from './mongo/stage.ts'
import { provisionStore, removeStore } from './store.ts'

const lab = openLab()
const [first, second, third] = members
let stage: MongoStage
/** What a test does while its task runs; a failure there is the test's. */
const acts: Promise<unknown>[] = []

const collections = {
  users: { kind: 'collection', documents: 3000, indexes: ['_id_', 'name_1'] },
  empty: { kind: 'collection', documents: 0, indexes: ['_id_', 'name_1'] },
  seen: { kind: 'view', documents: 0, indexes: [] },
}

const well = {
  user: 'hausmeister',
  up: true,
  written: '2026-11-28T02:30:00.000Z',
  hold: false,
  cut: false,
  lose: false,
}

beforeAll(async () => {
  stage = await MongoStage.open(lab)
  await provisionStore(lab)
  await makeBucket(lab)
})

beforeEach(() => Promise.all(members.map((member) => stage.set(member, well))))

afterAll(async () => {
  await removeStore(lab)
  await stage.close()
})

/** Makes a backup, and tells its name. */
async function backUp(): Promise<string> {
  const before = await stage.ids()
  const { code, error } = await stage.run('backup-now', [])
  expect([code, error]).toEqual([0, ''])
  const [made = ''] = (await stage.ids()).filter((id) => !before.includes(id))
  return made
}

/** The first time that a step of this title begins. */
function once(step: string, act: () => Promise<unknown>): Watch {
  let isDone = false
  return (line) => {
    if (isDone || !begins(step, line)) return
    isDone = true
    acts.push(act())
  }
}

test('a secondary that is close is dumped, with all that its manifest says; mongorestore takes it', async () => {
  await stage.set(second, { written: '2026-11-28T02:29:58.000Z' })
  await stage.set(third, { written: '2026-11-28T02:29:50.000Z' })
  const id = await backUp()
  expect(await stage.manifest(id)).toMatchObject({
    kind: 'mongo',
    cluster: 'rs0',
    database: 'webapp',
    source: { server: second, role: 'secondary', behind: 2 },
    versions: { server: '7.0.14', mongodump: '100.10.0' },
    collections,
  })
  const { identity } = await lab.secrets()
  // The line of docs/backup.md, but for who logs in.
  await stage.set(first, { user: null })
  await pipeObject(
    lab,
    first,
    stage.archiveOf(id),
    `(umask 077; echo ${identity} > /root/key.txt
age -d -i /root/key.txt | mongorestore --host=127.0.0.1 --port=27017 --archive --gzip '--nsFrom=webapp.*' '--nsTo=again.*'
rm /root/key.txt)`,
  )
  const { stdout } = await lab.sh(
    first,
    'cd /var/lib/mongo-peer/data; cmp again/users.bson webapp/users.bson && ls again | wc -l; rm -r again',
  )
  expect(stdout.trim()).toBe('6')
})

test('another member is taken when one is down, or the secondaries are behind; none, when none answers', async () => {
  await stage.set(second, { up: false })
  await stage.set(third, { written: '2026-11-28T02:28:00.000Z' })
  const far = await stage.run('backup-now', [])
  expect([far.code, far.error]).toEqual([0, ''])
  expect(notes(far)).toMatch(
    new RegExp(
      `rs0/webapp: no answer: ${second}: connect ECONNREFUSED[^]*the primary is dumped: ${third} is 120 s behind`,
    ),
  )
  const [id = ''] = (await stage.ids()).slice(-1)
  expect(await stage.manifest(id)).toMatchObject({ source: { server: first, role: 'primary' } })
  await stage.set(first, { up: false })
  await stage.set(third, { up: false })
  const none = await stage.run('backup-now', [])
  expect([none.code, none.error]).toEqual([
    1,
    expect.stringMatching(
      /no member of rs0 answers: vm-assets: connect ECONNREFUSED[^]*systemctl status mongod/,
    ),
  ])
})

test('a wrong password, a database that is not there, a machine without the programs', async () => {
  for (const member of members) await stage.set(member, { user: 'somebody else' })
  const stranger = await stage.run('backup-now', [])
  await Promise.all(members.map((member) => stage.set(member, well)))
  expect([stranger.code, stranger.error]).toEqual([
    1,
    expect.stringMatching(/Authentication failed[^]*"login" of the inventory: "hausmeister" of "admin"/),
  ])
  const gone = await stage.run('backup-now', [], { databases: ['gone'] })
  expect([gone.code, gone.error]).toEqual([1, expect.stringMatching(/there is no database gone on/)])
  await lab.sh(second, 'mv /usr/bin/mongodump /root')
  const bare = await stage.run('backup-now', [])
  await lab.sh(second, 'mv /root/mongodump /usr/bin')
  expect([bare.code, bare.error]).toEqual([
    1,
    expect.stringMatching(/vm-grafana has no mongodump[^]*mongodb-database-tools/),
  ])
})

test('mongodump is killed in the middle, and ends well with half an archive: nothing is left', async () => {
  const before = await objects(lab)
  await stage.set(second, { hold: true })
  let seen = ''
  const killed = await stage.run(
    'backup-now',
    [],
    {},
    {
      on: once('Dump', async () => {
        await stage.untilHolding(second)
        seen = await stage.seen(second)
        await lab.sh(second, 'pkill -KILL -x mongodump')
      }),
    },
  )
  await Promise.all(acts.splice(0))
  expect(seen).toBe('')
  expect([killed.code, killed.error]).toEqual([
    1,
    expect.stringMatching(/the dump of webapp failed: .*(ended by SIGKILL|exit code 137)/),
  ])
  await stage.set(second, { hold: false, cut: true })
  const cut = await stage.run('backup-now', [])
  expect([cut.code, cut.error]).toEqual([
    1,
    expect.stringMatching(/its archive is not whole: it ends before the end of users/),
  ])
  expect(await objects(lab)).toEqual(before)
  expect(await pieces(lab)).toEqual([])
})

test('a backup is restored beside, compared and recorded; what an earlier run has left goes', async () => {
  const id = await backUp()
  await stage.peer(first, 'fill webapp__verify_20261101T020000Z __hausmeister_scratch 0')
  await stage.peer(first, 'fill webapp__verify_20261101T030000Z users 1')
  const good = await stage.run('backup-verify', ['--backup', id, '--only', 'webapp'])
  expect([good.code, good.error]).toEqual([0, ''])
  expect(notes(good)).toMatch(/webapp__verify_20261101T030000Z on vm-assets does not bear our mark/)
  expect(await stage.evidence(id)).toMatchObject([
    { outcome: 'good', on: first, findings: ['3 collections with 3000 documents, 4 indexes'] },
  ])
  await stage.set(first, { lose: true })
  const bad = await stage.run('backup-verify', ['--backup', id, '--only', 'webapp'])
  expect([bad.code, bad.error]).toEqual([
    1,
    expect.stringMatching(/is no good backup; this is recorded[^]*users has 2999 documents, and had 3000/),
  ])
  expect((await stage.evidence(id)).map(({ outcome }) => outcome)).toEqual(['good', 'bad'])
  expect(await stage.databases(first)).toEqual(['webapp', 'webapp__verify_20261101T030000Z'])
})

describe('a restore', () => {
  const flags = ['--database', 'webapp', '--confirm', 'webapp', '--yes']
  let whole: string[] = []

  beforeAll(async () => {
    await stage.peer(first, 'fill webapp users 3000')
    await backUp()
    whole = await stage.collections(first)
  })

  test('a production database wants --confirm', async () => {
    const { code, error } = await stage.run('backup-restore', ['--database', 'webapp', '--yes'])
    expect([code, error]).toEqual([2, expect.stringMatching(/webapp is a production database/)])
    const dry = await stage.run('backup-restore', [...flags, '--dry-run'])
    expect([dry.code, dry.error]).toEqual([0, ''])
    expect(await stage.collections(first)).toEqual(whole)
  })

  test('that does not come out as it was dumped changes nothing', async () => {
    await stage.set(first, { lose: true })
    const { code, error } = await stage.run('backup-restore', flags)
    expect([code, error]).toEqual([1, expect.stringMatching(/is no good backup[^]*users has 2999 documents/)])
    expect(error).toMatch(/rs0\/webapp is as it was/)
    expect(await stage.collections(first)).toEqual(whole)
    await stage.set(first, { lose: false })
    const [id = ''] = (await stage.ids()).slice(-1)
    expect((await stage.run('backup-verify', ['--only', 'webapp', '--backup', id])).code).toBe(0)
  })

  test('swaps the collections, keeps the old ones out of the next backup, and puts them back', async () => {
    await stage.peer(first, 'fill webapp users 10')
    await stage.peer(first, 'fill webapp later 5')
    const changed = await stage.collections(first)
    const done = await stage.run('backup-restore', flags)
    expect([done.code, done.error]).toEqual([0, ''])
    const kept = changed.filter((line) => !line.startsWith('seen'))
    const restored = [...whole, ...kept.map((line) => `__hausmeister_before_<time>.${line}`)].toSorted()
    expect(await stage.collections(first)).toEqual(restored)
    expect(done.events.find(({ event }) => event === 'data')?.data).toMatchObject({
      subject: 'rs0/webapp',
      on: first,
    })
    const primary = await stage.run('backup-now', [], { source: 'primary' })
    const [id = ''] = (await stage.ids()).slice(-1)
    expect([primary.code, await stage.manifest(id)]).toMatchObject([0, { collections }])
    const undone = await stage.run('backup-restore', [...flags, '--undo'])
    expect([undone.code, undone.error]).toEqual([0, ''])
    expect((await stage.collections(first)).filter((line) => !line.startsWith('__'))).toEqual(changed)
  })

  test('that is killed in the middle of the swap is finished by the next run', async () => {
    await stage.set(first, { hold: true })
    const killed = await stage.run(
      'backup-restore',
      flags,
      {},
      {
        on: (line, kill) => {
          if (begins('Give the restored', line))
            acts.push(stage.untilHolding(first).then(() => kill('SIGKILL')))
        },
      },
    )
    await Promise.all(acts.splice(0))
    expect(killed.code).not.toBe(0)
    await stage.set(first, { hold: false })
    expect((await stage.collections(first)).filter((line) => !line.startsWith('__'))).not.toEqual(whole)
    const next = await stage.run('backup-restore', flags)
    expect([next.code, next.error]).toEqual([0, ''])
    expect(notes(next)).toMatch(/rs0\/webapp is whole again/)
    expect((await stage.collections(first)).filter((line) => !line.startsWith('__'))).toEqual(whole)
  })
})

import { expect, test } from 'vitest'

import { task } from '../../../tasks/backup-pbs.ts'
import { pveTokenId } from '../../lab/pve-peer/sample.ts'
import { stage, states, warnings } from '../backup/guests/stage.ts'
import { estateOf } from '../doubles.ts'
import { play } from './play.ts'

const well = { db: 'ok', app: 'ok', proxy: 'ok', pbs: 'exempt', 'debian-template': 'exempt' }

test('all guests are well: a table, data, and no change', async () => {
  const { run } = await stage()
  const played = await run()
  expect(played.error).toBeUndefined()
  expect(states(played)).toEqual(well)
  expect(played.changes).toEqual([])
  expect(warnings(played)).toBe('')
  expect(played.told).toMatch(
    /home: 5 guests, 3 ok, 2 need none; datastore tank, namespace home of Proxmox Backup/,
  )
  expect(played.told).toMatch(/db +101 +pve1 +nightly +2 h +32\.0 GB +none +ok/)
  expect(played.told).toContain('  app: backed up without scsi1 (disabled)')
})

test('a guest that is not as it should be is named with the reason, and it is an error', async () => {
  const { run } = await stage({ world: ({ snapshots }) => (snapshots['home'] = []) })
  const played = await run()
  expect(states(played)).toMatchObject({ db: 'missing', app: 'missing', proxy: 'missing' })
  expect(played.error).toMatchObject({ code: 1 })
  expect(played.error?.message).toContain('3 of 5 guests are not backed up as they should be')
  expect(played.error?.message).toContain('- db (101): it has no backup')
})

test('two things at once, and an estate without a backup server: refused', async () => {
  const { run } = await stage()
  expect((await run({ start: 'db', files: 'db' })).error).toMatchObject({
    code: 2,
    message: '--start and --files are two things: one a run',
  })
  const none = await play(task, await estateOf({}), {}, () => () => 0)
  expect(none.error).toMatchObject({
    code: 2,
    message: expect.stringContaining('has no "proxmox" with a "backup"'),
  })
})

test('a guest is backed up with the settings of its job, and nothing is pruned', async () => {
  const { run, world } = await stage()
  const before = world.snapshots['home']?.length ?? 0
  const played = await run({ start: 'proxy' })
  expect(played.error).toBeUndefined()
  const [change] = played.changes
  expect(change?.command).toBe(
    'POST /nodes/pve1/vzdump storage=backups mode=suspend notes-template={{guestname}} vmid=103 remove=0',
  )
  expect(world.snapshots['home']).toHaveLength(before + 1)
  const steps = played.events.flatMap((event) =>
    event.event === 'step' && event.state === 'done' ? [event] : [],
  )
  expect(steps.at(-1)).toMatchObject({ title: 'Find the new backups in tank', detail: 'proxy (1.0 GB)' })
  const lines = played.events.flatMap((event) => (event.event === 'progress' ? [event.detail] : []))
  expect(lines).toContain('INFO: 60% (60.0 GiB of 100.0 GiB) in 60s')
})

test('a job is started on each of its nodes', async () => {
  const { run } = await stage()
  const played = await run({ start: 'nightly' })
  expect(played.error).toBeUndefined()
  expect(played.changes.map(({ state, command }) => `${state} ${command}`)).toEqual([
    'done POST /nodes/pve1/vzdump storage=backups mode=snapshot vmid=101,102 remove=0',
    'done POST /nodes/pve2/vzdump storage=backups mode=snapshot vmid=101,102 remove=0',
  ])
})

test('settings of a job travel as the web interface sends them; when it runs and what it prunes do not', async () => {
  const { run } = await stage({
    world: ({ jobs }) =>
      Object.assign(jobs[1] ?? {}, {
        'exclude-path': ['/tmp/?*', '/var/tmp/?*'],
        fleecing: { enabled: true, storage: 'local' },
        enabled: 1,
        'next-run': 1_800_000_000,
        comment: 'all containers',
        node: 'pve1',
      }),
  })
  const { error, changes } = await run({ start: 'containers' })
  expect(error).toBeUndefined()
  expect(changes.map(({ command }) => command)).toEqual([
    'POST /nodes/pve1/vzdump storage=backups mode=suspend notes-template={{guestname}} ' +
      'exclude-path=/tmp/?*,/var/tmp/?* fleecing=enabled=1,storage=local vmid=103 remove=0',
  ])
})

test.each([
  [{ bwlimit: 1000 }, 'Permission check failed (/, Sys.Modify)'],
  [{ script: '/usr/local/bin/hook' }, 'script: Only root may set this option.'],
])('a job with %j is refused in the words of the cluster', async (setting, words) => {
  const { run } = await stage({ world: ({ jobs }) => Object.assign(jobs[1] ?? {}, setting) })
  expect((await run({ start: 'containers' })).error).toMatchObject({
    code: 1,
    message: expect.stringContaining(words),
  })
})

test('a token that may only look cannot start, and is told what it lacks', async () => {
  const { run } = await stage({
    world: ({ pveTokens }) =>
      Object.assign(pveTokens[pveTokenId] ?? {}, {
        privileges: { '/': { 'Sys.Audit': 1, 'VM.Audit': 1, 'Datastore.Audit': 1 } },
      }),
  })
  const { error, changes } = await run({ start: 'db' }, true)
  expect(error?.message).toContain('lacks Datastore.AllocateSpace on /storage/backups')
  expect(changes).toEqual([])
  expect((await run({ files: 'db' })).error?.message).toContain('lacks Datastore.AllocateSpace')
})

test('a dry run only says what it would start', async () => {
  const { run, world } = await stage()
  const before = world.snapshots['home']?.length
  const played = await run({ start: '102' }, true)
  expect(played.error).toBeUndefined()
  expect(played.changes.map(({ state }) => state)).toEqual(['would'])
  expect(world.snapshots['home']).toHaveLength(before ?? 0)
})

test.each([
  ['job errors', 'the backup on pve1 failed: job errors', 'ERROR: Backup of VM 101 failed'],
  ['unexpected status', 'the backup on pve1 failed: unexpected status', ''],
])('a task that ends with %s is a failure, with the lines of its log', async (end, message, seen) => {
  const { run } = await stage({ world: ({ vzdump }) => (vzdump.end = end) })
  const { error } = await run({ start: 'db' })
  expect(error).toMatchObject({ code: 1, message })
  expect(error?.seen).toContain(seen)
})

test('a task that ends with warnings has made its backup, and they are told', async () => {
  const { run } = await stage({ world: ({ vzdump }) => (vzdump.end = 'WARNINGS: 2') })
  const played = await run({ start: 'db' })
  expect(played.error).toBeUndefined()
  expect(warnings(played)).toContain('ended with WARNINGS: 2')
})

test('a task that says OK and has stored nothing is not believed', async () => {
  const { run } = await stage({ world: ({ vzdump }) => (vzdump.stores = false) })
  expect((await run({ start: 'db' })).error).toMatchObject({
    code: 1,
    message: 'the datastore has no new backup of db (101)',
  })
})

test('what stands in the way of a start is said before it', async () => {
  const locked = await stage({ world: ({ guests }) => guests[0] && (guests[0].lock = 'backup') })
  expect((await locked.run({ start: 'db' })).error).toMatchObject({
    code: 75,
    message: 'db (101) is locked: backup',
  })

  const offline = await stage({ world: ({ nodes }) => (nodes['pve2'] = 'offline') })
  expect((await offline.run({ start: 'app' })).error).toMatchObject({
    code: 3,
    message: 'pve2: the cluster says that this node is offline',
  })

  const elsewhere = await stage({ world: ({ jobs }) => jobs[0] && (jobs[0].storage = 'local') })
  expect((await elsewhere.run({ start: 'nightly' })).error?.message).toContain(
    'stores in local, which is not',
  )

  const unknown = await stage()
  expect((await unknown.run({ start: 'dbb' })).error).toMatchObject({
    code: 2,
    message: 'there is no guest and no backup job "dbb". Did you mean "db"?',
  })

  const running = await stage({ world: ({ vzdump }) => (vzdump.ms = 3000) })
  const before = running.world.snapshots['home']?.length
  const beginning = running.run({ start: 'db' })
  await expect.poll(() => running.world.snapshots['home']?.length, { timeout: 30_000 }).not.toBe(before)
  const second = await running.run({ start: 'proxy' })
  const first = await beginning
  expect(first.error).toBeUndefined()
  expect(second.error).toMatchObject({
    code: 75,
    message: expect.stringContaining('a backup runs on pve1 already'),
  })
  expect(second.changes).toEqual([])
})

test('the files of the newest backup are listed, through a disk that takes its time', async () => {
  const { run } = await stage({ world: (world) => (world.slowListings = 2) })
  const played = await run({ files: 'db' })
  expect(played.error).toBeUndefined()
  expect(played.changes).toEqual([])
  expect(played.told).toContain('drive-scsi0.img.fidx/part/2: etc/, vmlinuz (6 bytes)')
  expect(played.told).toContain('part/1: not to be read: cannot mount: unknown filesystem')
})

test('of a disk every kind of what can be in it is opened down to its file systems', async () => {
  const disk = {
    raw: { 'only-files': 'x' },
    part: { '1': { boot: {} } },
    zpool: { rpool: { data: {} } },
    lvm: { vg0: { root: { etc: {} }, swap: '!no file system' } },
  }
  const { run } = await stage({
    world: (world) => (world.files = { '*': { 'drive-virtio0.img.fidx': disk } }),
  })
  const { told } = await run({ files: 'db' })
  expect(told.split('\n').filter((line) => line.includes('img.fidx'))).toEqual([
    '  drive-virtio0.img.fidx/raw: only-files (1 bytes)',
    '  drive-virtio0.img.fidx/part/1: boot/',
    '  drive-virtio0.img.fidx/zpool/rpool: data/',
    '  drive-virtio0.img.fidx/lvm/vg0/root: etc/',
    '  drive-virtio0.img.fidx/lvm/vg0/swap: not to be read: no file system',
  ])
})

test('the files of a container are those of its archive', async () => {
  const { run } = await stage({
    world: (world) =>
      (world.files = { '*': { 'root.pxar.didx': { etc: {}, motd: 'hello' }, 'pct.conf.blob': 'x' } }),
  })
  expect((await run({ files: '103' })).told).toContain('root.pxar.didx: etc/, motd (5 bytes)')
})

test.each([
  [{}, 'unable to open snapshot'],
  [{ '*': {} }, 'no file of vm/101/'],
  [{ '*': { 'drive-scsi0.img.fidx': { part: { '1': {} } } } }, 'no file of vm/101/'],
])('a backup of which no file can be listed is a failure: %j', async (files, message) => {
  const { run } = await stage({ world: (world) => (world.files = files) })
  expect((await run({ files: 'db' })).error).toMatchObject({
    code: 1,
    message: expect.stringContaining(message),
  })
})

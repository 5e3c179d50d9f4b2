import { generateX25519Identity } from 'age-encryption'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { detailOf } from './cluster-stage.ts'
import { begins, notes, type Outcome, type RunOptions, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { type Fields, RestoreStage } from './restore-stage.ts'
import { provisionStore, removeStore } from './store.ts'

const lab = openLab()
const host = 'vm-grafana'
/** Debian bookworm, with an older tar. */
const fresh = 'spare-1'
const path = '/srv/lab/files'
const name = `${host}:${path}`
let stage: RestoreStage
let good = ''

/** While this file is there, tar waits in the middle of unpacking. */
const napping = '/run/napping'
/** While this file is there, tar leaves out ACLs and extended attributes. */
const careless = '/run/careless'
const sleepyTar = `#!/bin/bash
case " $* " in
  *" --extract "*) if [ -e ${careless} ]; then set -- "\${@/--xattrs-include=*/--no-acls}" --no-xattrs; fi
    { head -c 400000; while [ -e ${napping} ]; do sleep 0.1; done; cat; } | /usr/bin/tar "$@" ;;
  *) exec /usr/bin/tar "$@" ;;
esac`

/** All that a folder may have, and that a careless copy loses. */
const content = `set -eu
rm -rf ${path}; mkdir -p ${path}/deep/er ${path}/empty; cd ${path}
echo one > one; ln one hard; ln -s one link; ln -s /etc/passwd away; ln -s nowhere dangling
echo two > "deep/it's
two"; mkfifo deep/er/fifo; head -c 3000000 /dev/urandom > big; truncate -s 1M sparse
chown 1234:4321 one; chown -h 1234:4321 link; chmod 4750 big; chmod 1777 empty; chmod 750 .
touch -h -d '2001-02-03 04:05:06.789' link deep
python3 - <<'P'
import os, struct
U = 0xffffffff
def acl(*entries): return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in entries)
rights = acl((1, 7, U), (2, 6, 4242), (4, 5, U), (0x10, 7, U), (0x20, 0, U))
os.setxattr('one', 'user.note', b'of mine')
os.setxattr('big', 'system.posix_acl_access', rights)
os.setxattr('deep', 'system.posix_acl_default', rights)
os.setxattr('big', 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 10, 0, 0, 0))
P`

/** All of a folder in one number, by other means than ours. */
const sumOf = (folder: string): string => `python3 - ${folder} <<'P'
import hashlib, os, stat, sys
def fact(path):
  s = os.lstat(path)
  x = [] if stat.S_ISLNK(s.st_mode) else [(k, os.getxattr(path, k)) for k in sorted(os.listxattr(path))]
  body = os.readlink(path) if stat.S_ISLNK(s.st_mode) else hashlib.sha256(open(path, 'rb').read()).hexdigest() if stat.S_ISREG(s.st_mode) else ''
  return (os.path.relpath(path, sys.argv[1]), s.st_mode, s.st_uid, s.st_gid, s.st_mtime_ns, s.st_nlink, body, x)
all = [fact(sys.argv[1])] + [fact(os.path.join(at, n)) for at, dirs, files in os.walk(sys.argv[1]) for n in dirs + files]
print(hashlib.sha256(repr(sorted(all)).encode()).hexdigest())
P`

async function sum(on = host, folder = path): Promise<string> {
  return (await lab.sh(on, sumOf(folder))).stdout.trim()
}

/** What is beside the folder, its own name left out. */
async function beside(on = host): Promise<string[]> {
  const { stdout } = await lab.sh(on, `cd ${path}/..; ls -A`)
  return stdout.split('\n').filter((entry) => entry.startsWith('files__'))
}

const inTest = { backup: { folders: [{ host, path, environment: 'test' }] } }
const production = { backup: { folders: [{ host, path }] } }

function verify(fields: Fields = inTest, options: RunOptions = {}, flags: string[] = []): Promise<Outcome> {
  return stage.run('backup-verify', ['--only', name, ...flags], fields, options)
}

function restore(flags: string[] = [], fields: Fields = inTest, options: RunOptions = {}): Promise<Outcome> {
  return stage.run('backup-restore', ['--folder', name, '--yes', ...flags], fields, options)
}

/** Does something when it is in the middle of unpacking. */
function inTheMiddle(act: (kill: (signal: NodeJS.Signals) => void) => unknown, on = host): Watch {
  return (line, kill) => {
    if (!begins('Unpack ', line)) return
    void expect
      .poll(async () => (await lab.sh(on, 'pgrep -x tar | wc -l')).stdout.trim(), {
        interval: 100,
        timeout: 60_000,
      })
      .not.toBe('0')
      .then(() => act(kill))
  }
}

/** A restore that waits in the middle until it is told to go on. */
async function whileNapping<T>(work: () => Promise<T>): Promise<T> {
  await lab.sh(host, `touch ${napping}`)
  try {
    return await work()
  } finally {
    await lab.sh(host, `rm -f ${napping}`)
  }
}

beforeAll(async () => {
  stage = await RestoreStage.open(lab, {
    shelf: {
      name,
      at: `weltenwind/folder/${host}/%252Fsrv%252Flab%252Ffiles/`,
      objects: ['archive.tar.age', 'manifest.json'],
    },
  })
  await provisionStore(lab)
  await stage.makeBucket()
  await lab.sh(host, `cat > /usr/local/bin/tar; chmod 755 /usr/local/bin/tar; rm -rf /srv/lab`, {
    input: sleepyTar,
  })
  await lab.sh(host, content)
  good = await stage.backUp(inTest)
})

afterAll(async () => {
  await Promise.all([
    lab.sh(host, `rm -rf /srv/lab /usr/local/bin/tar ${napping} ${careless}`),
    lab.sh(fresh, 'rm -rf /srv/lab'),
    removeStore(lab),
  ])
  await stage.close()
})

describe('backup-verify of a folder', () => {
  test('a good one: unpacked, compared, recorded, listed, and nothing is left', async () => {
    const run = await verify()
    expect(run).toMatchObject({ code: 0, error: '' })
    expect(notes(run)).toBe('')
    expect(detailOf(run, /^Compare/)).toMatch(/^9 files, .*: archived again, they have the same SHA-256$/)
    expect(await stage.evidence(good)).toMatchObject([
      { outcome: 'good', findings: [expect.stringMatching(/^9 files/)] },
    ])
    expect(await beside()).toEqual([])
    await lab.sh(host, `touch ${careless}`)
    expect(notes(await verify())).toMatch(/ACLs or extended attributes are not/)
    await lab.sh(host, `rm ${careless}`)
    const list = await stage.run('backup-list', ['--only', name], inTest)
    expect(list.events.find(({ event }) => event === 'data')?.data).toMatchObject({ verifiedCount: 1 })
  })

  test('one byte flipped, cut short, the wrong age key: told, and recorded where it is certain', async () => {
    const [flipped = '', short = ''] = ['01', '02'].map((hour) => `20260101T${hour}0000Z`)
    for (const id of [flipped, short]) await stage.copy(good, id)
    await stage.change(flipped, 'archive.tar.age', `perl -0777 -pe 'substr($_, 2000000, 1) ^= "\\x01"'`)
    await stage.change(short, 'archive.tar.age', 'head -c -100')
    const damaged = await verify(inTest, {}, ['--backup', flipped])
    expect(damaged).toMatchObject({
      code: 1,
      error: expect.stringMatching(/damaged: archive\.tar\.age has the SHA-256/),
    })
    expect(await stage.evidence(flipped)).toMatchObject([{ outcome: 'bad' }])
    expect(await restore(['--backup', flipped])).toMatchObject({
      code: 1,
      error: expect.stringMatching(/ is bad: /),
    })
    const cut = await verify(inTest, {}, ['--backup', short])
    expect(cut).toMatchObject({
      code: 1,
      error: expect.stringMatching(/is damaged: archive\.tar\.age has \d+ bytes/),
    })
    const key = await verify(inTest, { env: { BACKUP_IDENTITY: await generateX25519Identity() } })
    expect(key).toMatchObject({
      code: 1,
      error: expect.stringMatching(/does not open with our age key[^]*backup\.identity/),
    })
    expect(await stage.evidence(good)).toHaveLength(2)
    expect(await beside()).toEqual([])
  })

  test('two at once, Ctrl-C; what kill -9 leaves is removed by the next run, and nothing else', async () => {
    let second: Promise<Outcome> | undefined
    const act = async (kill: (signal: NodeJS.Signals) => void) => {
      second = verify()
      await second
      kill('SIGINT')
    }
    const cancelled = await whileNapping(() => verify(inTest, { on: inTheMiddle(act) }))
    expect(await second).toMatchObject({
      code: 75,
      error: expect.stringMatching(/backup-verify\/\S+ is locked by/),
    })
    expect(cancelled.code).toBe(130)
    expect(await beside()).toEqual([])

    const somebodys = 'files__verify_20010203T040506Z'
    await lab.sh(host, `mkdir ${path}/../${somebodys}; echo mine > ${path}/../${somebodys}/mine`)
    const killed = await whileNapping(() => verify(inTest, { on: inTheMiddle((kill) => kill('SIGKILL')) }))
    expect(killed.code).toBeNull()
    expect(await beside()).toHaveLength(2)
    const next = await verify()
    expect(next).toMatchObject({ code: 0, error: '' })
    expect(next.events.some((line) => begins('Drop ', line) && /has left/.test(line.title ?? ''))).toBe(true)
    expect(notes(next)).toMatch(/does not bear our mark/)
    expect(await beside()).toEqual([somebodys])
    await lab.sh(host, `rm -r ${path}/../${somebodys}`)
  })

  test('no room is told before; a disk that runs full in the middle says nothing of the backup', async () => {
    const before = await stage.evidence(good)
    const scratch = '/srv/lab/scratch'
    const fields = { backup: { folders: [{ host, path, environment: 'test', scratch }] } }
    await lab.limitDisk(host, scratch, '3M')
    try {
      const refused = await verify(fields)
      expect(refused).toMatchObject({
        code: 1,
        error: expect.stringMatching(
          /scratch on \S+ has \S+ MB free, and the folder needs \S+ MB[^]*make room/,
        ),
      })
    } finally {
      await lab.unlimitDisk(host, scratch)
    }
    await lab.limitDisk(host, scratch, '8M')
    try {
      const act = async () => {
        await lab.fillDisk(host, scratch, 100_000)
        await lab.sh(host, `rm -f ${napping}`)
      }
      const full = await whileNapping(() => verify(fields, { on: inTheMiddle(act) }))
      expect(full).toMatchObject({
        code: 1,
        error: expect.stringMatching(/No space left on device[^]*make room/),
      })
      expect((await lab.sh(host, `ls ${scratch}`)).stdout).toBe('')
    } finally {
      await lab.sh(host, `rm -f ${scratch}/.lab-filler`)
      await lab.unlimitDisk(host, scratch)
    }
    expect(await stage.evidence(good)).toEqual(before)
  })
})

describe('backup-restore of a folder', () => {
  test('production wants --confirm; the old one is kept, its users are named, and it comes back', async () => {
    const refused = await restore([], production)
    expect(refused).toMatchObject({ code: 2, error: expect.stringMatching(new RegExp(`--confirm ${name}`)) })

    const asBackedUp = await sum()
    await lab.sh(host, `echo late > ${path}/late; rm ${path}/one`)
    const later = await sum()
    // The second one has it mounted elsewhere, as a container would.
    await lab.sh(
      host,
      `systemd-run -q --unit lab-user --working-directory ${path} sleep 600
systemd-run -q --unit lab-mount -p BindPaths=${path}/deep:/opt/data sleep 600`,
    )
    try {
      const run = await restore(['--confirm', name], production)
      expect(run).toMatchObject({ code: 0, error: '' })
      const users = /still use the old folder, restart them on \S+: (.*)/.exec(notes(run))?.[1]
      expect(users).toMatch(/sleep \(pid \d+, lab-user\.service\)/)
      expect(users).toMatch(/\S+ \(pid \d+, lab-mount\.service\)/)
      expect(run.events.find(({ event }) => event === 'data')?.data).toMatchObject({
        backup: good,
        on: host,
        rtoMs: expect.any(Number),
        rpoMs: expect.any(Number),
      })
    } finally {
      await lab.sh(host, 'systemctl stop lab-user lab-mount')
    }
    expect(await sum()).toBe(asBackedUp)
    expect(await beside()).toEqual([expect.stringMatching(/^files__before_restore_/)])

    expect(await restore(['--undo'])).toMatchObject({ code: 0, error: '' })
    expect(await sum()).toBe(later)
    expect(await restore()).toMatchObject({ code: 0, error: '' })
    expect(await sum()).toBe(asBackedUp)
    expect(await beside()).toHaveLength(2)
  })

  test('a mount point, and something mounted below, are told before anything is changed', async () => {
    await lab.limitDisk(host, `${path}/deep`, '8M')
    const below = await restore()
    await lab.unlimitDisk(host, `${path}/deep`)
    expect(below).toMatchObject({
      code: 1,
      error: expect.stringMatching(/something is mounted[^]*umount \S+deep/),
    })
    await lab.limitDisk(host, path, '8M')
    const point = await restore()
    await lab.unlimitDisk(host, path)
    expect(point).toMatchObject({ code: 1, error: expect.stringMatching(/is a mount point[^]*--into/) })
  })

  test('the cable is cut in the middle: the folder is as it was, and the next run finishes', async () => {
    await lab.sh(host, `echo mine > ${path}/mine`)
    const before = await sum()
    const cutting = inTheMiddle(() => lab.cut(host))
    const on: Watch = (line, kill) => {
      cutting(line, kill)
      if (begins('Leave ', line)) void lab.mend(host)
    }
    const cut = await whileNapping(() => restore([], inTest, { on }))
    expect(cut).toMatchObject({ code: 3, error: expect.stringMatching(/as it was|not repaired/) })
    expect(await sum()).toBe(before)
    expect(await restore()).toMatchObject({ code: 0, error: '' })
    expect((await beside()).filter((entry) => entry.startsWith('files__restore'))).toEqual([])
  })

  test('disaster: the folder is gone, then its machine; all of it comes back', async () => {
    const asBackedUp = await sum()
    await lab.sh(host, `rm -rf ${path}`)
    expect(await restore([], production)).toMatchObject({ code: 0, error: '' })
    expect(await sum()).toBe(asBackedUp)

    const into = `${fresh}:/srv/lab/new/files`
    const run = await restore(['--into', into], production)
    expect(run).toMatchObject({ code: 0, error: '' })
    expect(notes(run)).toMatch(/it was made by tar \(GNU tar\) 1\.35, and spare-1 has tar \(GNU tar\) 1\.34/)
    expect(await sum(fresh, '/srv/lab/new/files')).toBe(asBackedUp)
  })
})

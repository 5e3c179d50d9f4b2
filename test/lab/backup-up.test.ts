import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { checkout, placeCheckout, ran, removeCheckout } from './checkout.ts'
import { counts } from './cluster-stage.ts'
import { notes, type Outcome, type RunOptions, runTask } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionStore, removeStore } from './store.ts'

const lab = openLab()
/** Its user has to give a password to sudo. */
const host = 'pg-primary'
const unit = 'hausmeister-weltenwind-backup-now'
const units = '/etc/systemd/system'
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-backup-up-'))
  await writeFile(join(folder, '.env'), await readFile(lab.files.env, 'utf8'), { mode: 0o600 })
  await Promise.all([provisionStore(lab), placeCheckout(lab, host, 'ops')])
  await lab.sh(host, `cat > ${checkout}/inventory.json`, { input: JSON.stringify(await inventory({})) })
})

afterAll(async () => {
  await Promise.all([removeStore(lab), removeCheckout(lab, host)])
  await rm(folder, { recursive: true, force: true })
})

/** @param schedule fields that are different */
async function inventory(schedule: Record<string, unknown>, store: Record<string, unknown> = {}) {
  const { backup, ...estate } = JSON.parse(await readFile(lab.files.inventory, 'utf8'))
  return {
    ...estate,
    backup: {
      ...backup,
      store: { ...backup.store, ...store },
      schedule: { host, directory: checkout, ...schedule },
    },
  }
}

async function run(
  task: 'backup-up' | 'backup-down',
  flags: string[] = [],
  {
    schedule = {},
    store = {},
    ...options
  }: RunOptions & { schedule?: Record<string, unknown>; store?: Record<string, unknown> } = {},
): Promise<Outcome> {
  const file = await mkdtemp(join(folder, 'run-'))
  await writeFile(join(file, 'inventory.json'), JSON.stringify(await inventory(schedule, store)))
  await writeFile(join(file, '.env'), await readFile(join(folder, '.env'), 'utf8'), { mode: 0o600 })
  return runTask(lab, task, ['--inventory', join(file, 'inventory.json'), ...flags], options)
}

function expectNothingChanged(outcome: Outcome): void {
  expect(outcome).toMatchObject({ code: 0, error: '' })
  expect(counts(outcome)).toMatchObject({ changed: 0, unchanged: expect.any(Number) })
}

/** What is of hausmeister on the machine. */
async function there(): Promise<string> {
  const script = `cd ${units}; ls -d *hausmeister* */*hausmeister* 2> /dev/null; cat hausmeister* 2> /dev/null
    crontab -l -u ops 2> /dev/null; ls /var/lib/systemd/timers | grep hausmeister; true`
  return (await lab.sh(host, script)).stdout
}

/** Puts objects into the bucket, and says what it has. */
async function bucket(put: string[] = []): Promise<string[]> {
  const script = `import { S3Client, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
    const { ACCESS: accessKeyId, SECRET: secretAccessKey, ENDPOINT: endpoint } = process.env
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED', credentials: { accessKeyId, secretAccessKey } })
    const Bucket = 'weltenwind-backups'
    for (const Key of ${JSON.stringify(put)}) await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }))
    console.log(JSON.stringify(Contents.map(({ Key }) => Key)))`
  const { store } = (await inventory({})).backup
  const env = Object.fromEntries(
    (await readFile(join(folder, '.env'), 'utf8')).split('\n').map((line) => line.split('=', 2)),
  )
  const { stdout } = await lab.controller('node', ['--input-type=module', '-e', script], {
    env: { ACCESS: env.BACKUP_ACCESS_KEY, SECRET: env.BACKUP_SECRET_KEY, ENDPOINT: store.endpoint },
  })
  return JSON.parse(stdout)
}

test('what is wrong is named, and nothing is changed', async () => {
  const key = await run('backup-up', [], { env: { BACKUP_SECRET_KEY: 'another-one' } })
  const elsewhere = { endpoint: 'http://192.168.2.20:8081' }
  const port = await run('backup-down', ['--destroy-data', '--yes'], { store: elsewhere })
  const other = await run('backup-up', [], { store: elsewhere })
  const nowhere = await run('backup-up', [], { schedule: { directory: '/opt' } })
  const dry = await run('backup-up', ['--dry-run'])
  expect(key).toMatchObject({
    code: 1,
    error: expect.stringMatching(/does not (know our key|let .* do this)/),
  })
  expect(key.error).not.toContain('another-one')
  expect(port).toMatchObject({
    code: 3,
    error: expect.stringMatching(/no answer from bucket .*: ECONNREFUSED/),
  })
  expect(other).toMatchObject({
    code: 2,
    error: expect.stringMatching(
      /inventory\.json on pg-primary backs up to .*:8080, and this one to .*:8081/,
    ),
  })
  expect(nowhere).toMatchObject({
    code: 2,
    error: expect.stringMatching(/cannot run hausmeister as ops:\n- there is no \/opt\/inventory\.json/),
  })
  expect(dry).toMatchObject({ code: 0, error: '' })
  const would = dry.events.filter(({ state }) => state === 'would').map(({ command }) => command)
  expect(would.join('\n')).toMatch(/create bucket[^]*backup-now\.timer[^]*daemon-reload[^]*enable --now/)
  expect(await there()).toBe('')
})

test('the store is made ready, the timers are installed; a second run has nothing to do', async () => {
  const first = await run('backup-up')
  expect(first).toMatchObject({ code: 0, error: '' })
  const schedule = first.events.find(({ event }) => event === 'data')?.data
  expect(schedule).toMatchObject({
    host,
    user: 'ops',
    jobs: [
      { name: unit, next: expect.stringMatching(/02:30:00/) },
      { name: 'hausmeister-weltenwind-backup-verify', next: expect.stringMatching(/^Sun .* 04:00:00/) },
      { name: 'hausmeister-weltenwind-backup-prune', next: expect.stringMatching(/05:30:00/) },
    ],
  })
  // The probe is gone again, and a dry run on the machine has left nothing.
  expect(await bucket()).toEqual([])
  expect(await ran(lab, host)).toEqual([])
  expectNothingChanged(await run('backup-up'))
  // Also left by the dry run: what the timers start from.
  const { stdout } = await lab.sh(host, `stat -c %U ${checkout}/node_modules/.cache/hausmeister/*/seal`)
  expect(stdout).toBe('ops')
})

test('a timer that was missed is made up for, and runs the task as its user', async () => {
  await lab.sh(
    host,
    `touch -d '2 days ago' /var/lib/systemd/timers/stamp-${unit}.timer; systemctl restart ${unit}.timer`,
  )
  await expect
    .poll(() => ran(lab, host), { timeout: 60_000, interval: 300 })
    .toEqual([{ task: 'backup-now', user: 'ops', home: '/home/ops', flags: ['--quiet', '--yes'] }])
})

test('a unit that was edited is brought back, also by the run after one that was killed', async () => {
  await lab.sh(host, `sed -i 's/02:30/03:45/' ${units}/${unit}.timer; systemctl daemon-reload`)
  const killed = await run('backup-up', [], {
    on: (line, kill) => {
      if (line.state === 'done' && line.command?.includes('backup-now.timer')) kill('SIGKILL')
    },
  })
  expect(killed.code).toBeNull()
  const next = await run('backup-up')
  expect(next).toMatchObject({ code: 0, error: '' })
  expect(JSON.stringify(next.events.find(({ event }) => event === 'data'))).toMatch(/02:30:00/)
})

test('a unit of somebody else is left alone, and a second run at the same time waits', async () => {
  await lab.sh(host, `sed -i 1d ${units}/${unit}.service; systemctl daemon-reload`)
  const before = await there()
  for (const task of ['backup-up', 'backup-down'] as const) {
    const foreign = await run(task)
    expect(foreign).toMatchObject({
      code: 1,
      error: expect.stringMatching(/backup-now\.service on pg-primary is not of hausmeister/),
    })
  }
  expect(await there()).toBe(before)
  await lab.sh(host, `rm ${units}/${unit}.service`)
  const lock = '/run/lock/hausmeister/schedule.weltenwind.backup'
  await lab.sh(
    host,
    `echo '{"who":"anna@desk","task":"backup-up"}' > ${lock}; systemd-run -q --unit=holder flock ${lock} sleep 300`,
  )
  await expect
    .poll(async () => (await lab.sh(host, `flock -n ${lock} true`, { nothrow: true })).exitCode)
    .toBe(1)
  const second = await run('backup-down')
  await lab.sh(host, 'systemctl stop holder')
  expect(second).toMatchObject({ code: 75, error: expect.stringMatching(/locked by anna@desk: backup-up/) })
})

test('backup-down takes all of it away, but no backup', async () => {
  const backup = 'weltenwind/postgres/main/weltenwind/20261124T023000Z/dump.age'
  await bucket([backup, 'weltenwind2/postgres/main/weltenwind/20261124T023000Z/dump.age'])
  expect(await run('backup-down')).toMatchObject({ code: 0, error: '' })
  expect(await there()).toBe('')
  expectNothingChanged(await run('backup-down'))
  expect(await bucket()).toContain(backup)
})

test('without systemd it is the crontab, with lines of others as they were', async () => {
  const others = 'MAILTO=root\n0 1 * * * echo 100\\% # mine\n'
  await lab.sh(host, 'mv /run/systemd/system /run/systemd/away; crontab -u ops -', { input: others })
  try {
    expect(await run('backup-up')).toMatchObject({ code: 0, error: '' })
    expectNothingChanged(await run('backup-up'))
    const lines = (await there()).split('\n')
    expect(lines.slice(0, 2).join('\n')).toBe(others.trimEnd())
    const [, line] = /^30 2 \* \* \* (.*)$/.exec(lines[2] ?? '') ?? []
    // Neither HOME nor PATH: less than cron gives.
    await lab.sh(host, `rm ${checkout}/ran; runuser -u ops -- env -i sh -c "$(cat)"`, {
      input: line ?? 'false',
    })
    expect(await ran(lab, host)).toEqual([{ task: 'backup-now', user: 'ops', flags: ['--quiet', '--yes'] }])
    expect(await run('backup-down')).toMatchObject({ code: 0, error: '' })
    expect(await there()).toBe(others.trimEnd())
  } finally {
    await lab.sh(host, 'mv /run/systemd/away /run/systemd/system; crontab -u ops -r')
  }
})

test('--destroy-data is refused without a word, and deletes what is of this estate alone', async () => {
  const versions = await run('backup-up', [], { store: { versioning: true } })
  expect(versions).toMatchObject({ code: 0, error: '' })
  const [backup = ''] = await bucket()
  const before = await bucket([backup])
  const refused = await run('backup-down', ['--destroy-data'])
  expect(refused).toMatchObject({
    code: 2,
    error: expect.stringMatching(/no terminal to confirm "weltenwind"/),
  })
  expect(await bucket()).toEqual(before)
  const gone = await run('backup-down', ['--destroy-data', '--yes'])
  expect(gone).toMatchObject({ code: 0, error: '' })
  expect(notes(gone)).toMatch(/main\/weltenwind: 1 backup, 20261124T023000Z/)
  expect(await bucket()).toEqual(['weltenwind2/postgres/main/weltenwind/20261124T023000Z/dump.age'])
  const again = await run('backup-down', ['--destroy-data', '--yes'])
  expectNothingChanged(again)
  // Nor is there an old version.
  expect(notes(again)).toMatch(/has nothing of weltenwind/)
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { begins, notes, type Outcome, runTask, type Watch } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'
import { changed, data, inventoryWith, psql, unit, whoTakesWrites } from './replication.ts'

const lab = openLab()

function pgReplica(flags: string[] = [], on?: Watch, inventory = lab.files.inventory): Promise<Outcome> {
  return runTask(lab, 'pg-replica', ['--inventory', inventory, ...flags], { on })
}

const slots = () => psql(lab, 'pg-primary', 'select slot_name, active from pg_replication_slots')
const receiver = () => psql(lab, 'pg-replica', 'select status, slot_name from pg_stat_wal_receiver')
const below = async () =>
  (await lab.sh('pg-replica', `ls ${data}.* -d 2>/dev/null || true`)).stdout.trim().split('\n')

/** Runs once more: everything is well, and nothing is changed. */
async function expectHealthy(): Promise<void> {
  const again = await pgReplica()
  expect(again.error).toBe('')
  expect(changed(again.events)).toBe(0)
  await expectFollowing()
}

/** It streams through its slot, and nothing of a fault is left. */
async function expectFollowing(): Promise<void> {
  expect(await receiver()).toBe('streaming|pg_replica')
  expect(await slots()).toBe('pg_replica|t')
  expect(await below()).toEqual([`${data}.pgpass`])
}

/** A machine with PostgreSQL installed and no data, as before its first run. */
async function bare(): Promise<void> {
  await lab.sh('pg-replica', `systemctl stop ${unit}; rm -rf ${data} ${data}.*`)
  await expect.poll(() => psql(lab, 'pg-primary', 'select count(*) from pg_stat_replication')).toBe('0')
  await psql(lab, 'pg-primary', 'select pg_drop_replication_slot(slot_name) from pg_replication_slots')
}

/** Enough to copy that something can happen meanwhile. */
const bulk = `drop table if exists lab_bulk; create table lab_bulk as
  select md5(i::text) || md5((i + 1)::text) || md5((i + 2)::text) || md5((i + 3)::text) as text from generate_series(1, 600000) i;`

beforeAll(async () => {
  await provisionPostgres(lab)
  await psql(lab, 'pg-primary', bulk, 'weltenwind')
  // For a minute the primary would believe in a standby that is gone without a word, and keep its slot for it.
  await psql(lab, 'pg-primary', "alter system set wal_sender_timeout = '10s'")
  await psql(lab, 'pg-primary', 'select pg_reload_conf()')
})
afterAll(async () => {
  await psql(lab, 'pg-primary', 'alter system reset wal_sender_timeout')
  await psql(lab, 'pg-primary', 'select pg_reload_conf()')
  await psql(lab, 'pg-primary', 'drop table if exists lab_bulk', 'weltenwind')
  await psql(lab, 'pg-primary', 'drop table if exists lab_fence')
  await provisionPostgres(lab)
})
beforeEach(async () => {
  expect(await whoTakesWrites(lab)).toEqual(['pg-primary'])
})

function isCopying({ event, state, title }: { event: string; state?: string; title?: string }): boolean {
  return event === 'step' && state === 'started' && title?.startsWith('Copy') === true
}

/** Acts on the copy when some of it is there. */
async function whileCopying(act: (kill: (signal: NodeJS.Signals) => void) => unknown, flags: string[] = []) {
  let acting: unknown
  const outcome = await pgReplica(flags, (line, kill) => {
    if (isCopying(line)) {
      acting = lab
        .sh('pg-replica', `until [ -e ${data}.building/base ]; do sleep 0.02; done`)
        .then(() => act(kill))
    }
  })
  await acting
  return outcome
}

test('a standby that was made by hand gets a slot of its own, and streams again after a power cut', async () => {
  const first = await pgReplica()
  expect(first.error).toBe('')
  expect(changed(first.events)).toBeGreaterThan(0)
  await expectHealthy()
  await lab.poweroff('pg-replica')
  await lab.poweron('pg-replica')
  await expect.poll(receiver, { timeout: 30_000 }).toBe('streaming|pg_replica')
  await expectFollowing()
})

test('a bare machine is built, by one of two runs; the password stands in no event', async () => {
  await bare()
  let second: Promise<Outcome> | undefined
  const built = await pgReplica([], (line) => {
    if (isCopying(line)) second = pgReplica()
  })
  expect(built.error).toBe('')
  expect(await second).toMatchObject({
    code: 75,
    error: expect.stringMatching(/pg-cluster\/main is locked by/),
  })
  const { replication } = await lab.secrets()
  expect(JSON.stringify(built.events)).not.toContain(replication)
  expect(built.events.filter(({ event }) => event === 'progress').map(({ detail }) => detail)).toContainEqual(
    expect.stringMatching(/^\d+\/\d+ kB \(100%\)/),
  )
  const { stdout } = await lab.sh(
    'pg-replica',
    `stat -c '%a %U' ${data}.pgpass; systemctl is-enabled postgresql`,
  )
  expect(stdout).toBe('600 postgres\nenabled')
  await expectHealthy()
})

test('data of another cluster is refused while it runs, and moved aside when it is stopped', async () => {
  await lab.sh(
    'pg-replica',
    `systemctl stop ${unit}; rm -rf ${data}
    runuser -u postgres -- /usr/lib/postgresql/17/bin/initdb -A peer -D ${data} >/dev/null
    systemctl start ${unit}; cd /; runuser -u postgres -- createdb precious`,
  )
  const refused = await pgReplica(['--rebuild', '--yes', '--host', 'pg-replica'])
  expect(refused).toMatchObject({ code: 1, error: expect.stringMatching(/two primaries: .*precious/) })
  await lab.sh('pg-replica', `systemctl stop ${unit}`)
  const built = await pgReplica()
  expect(built.error).toBe('')
  const kept = /kept as (\S+)/.exec(notes(built))?.[1] ?? ''
  await lab.sh('pg-replica', `test -e ${kept}/PG_VERSION && rm -r ${kept}`)
  await expectHealthy()
})

describe('while the primary is copied', () => {
  beforeEach(bare)

  test('the standby’s disk runs full: nothing is left, the slot is dropped', async () => {
    await lab.limitDisk('pg-replica', '/var/lib/postgresql', '400M')
    try {
      const outcome = await whileCopying(() =>
        // Fills what the copy has not taken yet, while it takes more.
        lab.sh('pg-replica', 'dd if=/dev/zero of=/var/lib/postgresql/.lab-filler bs=1M 2>/dev/null || true'),
      )
      expect(outcome).toMatchObject({ code: 1, error: expect.stringMatching(/No space left on device/i) })
      expect(await slots()).toBe('')
      expect((await lab.sh('pg-replica', `ls ${data} 2>&1 || true`)).stdout).toMatch(/No such file/)
      // What the copy had taken is free again.
      await lab.sh('pg-replica', 'dd if=/dev/zero of=/var/lib/postgresql/.lab-rest bs=1M 2>/dev/null || true')
      const full = await pgReplica()
      expect(full).toMatchObject({
        code: 1,
        error: expect.stringMatching(/free below .* and the copy needs/),
      })
    } finally {
      await lab.sh('pg-replica', 'rm -f /var/lib/postgresql/.lab-filler /var/lib/postgresql/.lab-rest')
      await lab.unlimitDisk('pg-replica', '/var/lib/postgresql')
    }
    expect((await pgReplica()).error).toBe('')
    await expectFollowing()
  })

  test('the controller is killed with -9: what it left is no database, and the next run builds', async () => {
    const outcome = await whileCopying((kill) => kill('SIGKILL'))
    expect(outcome.code).not.toBe(0)
    await expect
      .poll(async () => (await lab.sh('pg-replica', 'pgrep -c pg_basebackup || true')).stdout.trim(), {
        timeout: 30_000,
      })
      .toBe('0')
    expect((await lab.sh('pg-replica', `ls ${data} 2>&1 || true`)).stdout).toMatch(/No such file/)
    expect((await pgReplica()).error).toBe('')
    await expectFollowing()
  })

  test('the cable of the standby is cut, and mended: the next run builds', async () => {
    const outcome = await whileCopying(() => lab.cut('pg-replica'))
    expect(outcome.code).toBe(3)
    expect(outcome.error).toMatch(/slot pg_replica (is dropped again|on pg-primary is kept)/)
    await lab.mend('pg-replica')
    expect((await pgReplica()).error).toBe('')
    await expectFollowing()
  })
})

test('a slot of its name that somebody else uses is left alone', async () => {
  await bare()
  const { replication } = await lab.secrets()
  await lab.sh(
    'pve',
    `read -r PGPASSWORD; export PGPASSWORD; mkdir -p /tmp/wal
    conn='host=10.10.10.11 user=replicator application_name=archiver'
    /usr/lib/postgresql/17/bin/pg_receivewal -d "$conn" -S pg_replica --create-slot
    systemd-run -q --unit lab-archiver -E PGPASSWORD /usr/lib/postgresql/17/bin/pg_receivewal -d "$conn" -S pg_replica -D /tmp/wal`,
    { input: `${replication}\n` },
  )
  await expect.poll(slots).toBe('pg_replica|t')
  const refused = await pgReplica()
  await lab.sh('pve', 'systemctl stop lab-archiver; rm -r /tmp/wal')
  expect(refused).toMatchObject({
    code: 1,
    error: expect.stringMatching(/in use by archiver at 10\.10\.10\.10/),
  })
  // Left over, and idle: it is taken.
  await expect.poll(slots).toBe('pg_replica|f')
  expect((await pgReplica()).error).toBe('')
  await expectFollowing()
})

test('WAL that it needs is gone: says so, and --rebuild builds it anew', async () => {
  await lab.sh('pg-replica', `systemctl stop ${unit}`)
  await psql(
    lab,
    'pg-primary',
    "alter system set max_slot_wal_keep_size = '16MB'; alter system set wal_keep_size = 0",
  )
  await psql(lab, 'pg-primary', 'select pg_reload_conf()')
  for (let file = 0; file < 4; file += 1) {
    await psql(lab, 'pg-primary', "select pg_logical_emit_message(true, 'lab', 'x'); select pg_switch_wal()")
  }
  await psql(lab, 'pg-primary', 'checkpoint')
  expect(await psql(lab, 'pg-primary', 'select wal_status from pg_replication_slots')).toBe('lost')
  const refused = await pgReplica()
  await psql(lab, 'pg-primary', 'alter system reset max_slot_wal_keep_size; alter system reset wal_keep_size')
  await psql(lab, 'pg-primary', 'select pg_reload_conf()')
  expect(refused).toMatchObject({ code: 1, error: expect.stringMatching(/thrown it away[^]*--rebuild/) })
  expect((await pgReplica(['--rebuild', '--host', 'pg-replica'])).error).toMatch(
    /no terminal to confirm "pg-replica"/,
  )
  expect((await pgReplica(['--rebuild', '--host', 'pg-replica', '--yes'])).error).toBe('')
  await expectHealthy()
})

test('a standby that was promoted by hand: refused while it runs, then rewound with the operator’s word', async () => {
  // pg_rewind goes back to the last checkpoint that both know.
  await psql(lab, 'pg-primary', 'checkpoint')
  expect((await pgReplica()).error).toBe('')
  await psql(lab, 'pg-replica', 'checkpoint')
  await psql(lab, 'pg-replica', 'select pg_promote()')
  await psql(lab, 'pg-replica', 'create table lab_lost as select generate_series(1, 1000)')
  expect((await pgReplica()).error).toMatch(/two primaries: pg-primary \(timeline \d+.* and pg-replica/)
  await lab.sh('pg-replica', `systemctl stop ${unit}`)
  expect((await pgReplica()).error).toMatch(/life of its own[^]*--rebuild/)

  await lab.sh('pg-replica', `runuser -u postgres -- touch ${data}/standby.signal`)
  const impossible = await pgReplica()
  expect(impossible.error).toMatch(
    /parted from pg-primary: they were the same up to .* bytes\) of WAL after that/,
  )
  expect(impossible.error).toMatch(/pg_rewind cannot help: .*no pg_hba.conf entry[^]*--rebuild/)

  const hba = '/etc/postgresql/17/main/pg_hba.conf'
  await lab.sh(
    'pg-primary',
    `echo 'host postgres replicator 10.10.10.0/24 scram-sha-256' >> ${hba}; systemctl reload ${unit}`,
  )
  expect((await pgReplica()).error).toMatch(/no terminal to confirm "pg-replica"/)

  await lab.sh(
    'pg-replica',
    `systemctl stop ${unit}; cp -a ${data} /var/lib/postgresql/lab-diverged; systemctl start ${unit}`,
  )
  let killing: Promise<unknown> | undefined
  const cutOff = await pgReplica(['--yes'], (line) => {
    if (!begins('Rewind', line)) return
    // Before it has moved the data it only asks whether it could.
    const kill = `until [ -e ${data}.rewinding ] && pkill -9 -x pg_rewind; do sleep 0.01; done`
    killing = lab.sh('pg-replica', `timeout 30 bash -c '${kill}'`)
  })
  await killing
  expect(cutOff).toMatchObject({
    code: 1,
    error: expect.stringMatching(/half rewound it is no use; build it anew: .*--rebuild/),
  })
  expect((await lab.sh('pg-replica', `systemctl start ${unit}`, { nothrow: true })).exitCode).not.toBe(0)
  expect((await pgReplica(['--yes'])).error).toMatch(/a rewind of it was cut off, and what is left is no use/)
  expect((await pgReplica(['--rebuild', '--host', 'pg-replica', '--yes'])).error).toBe('')
  await expectFollowing()

  await lab.sh(
    'pg-replica',
    `systemctl stop ${unit}; rm -r ${data}; mv /var/lib/postgresql/lab-diverged ${data}; systemctl start ${unit}`,
  )
  const rewound = await pgReplica(['--yes'])
  await lab.sh('pg-primary', `sed -i '/^host postgres replicator/d' ${hba}; systemctl reload ${unit}`)
  expect(rewound.error).toBe('')
  expect(await psql(lab, 'pg-replica', "select to_regclass('lab_lost') is null")).toBe('t')
  await expectHealthy()
}, 240_000)

test('another version than the inventory’s: names what is there', async () => {
  const other = await inventoryWith(lab, (cluster) => (cluster['version'] = 15))
  const refused = await pgReplica([], undefined, other.file)
  await other.remove()
  expect(refused).toMatchObject({
    code: 1,
    error: expect.stringMatching(/has PostgreSQL 17, and no cluster main of version 15/),
  })
})

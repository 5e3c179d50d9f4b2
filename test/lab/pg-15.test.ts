import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { ClusterStage, counts } from './cluster-stage.ts'
import { notes, type Outcome } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { writersAmong } from './replication.ts'
import { Writer, type Written } from './writer.ts'

const lab = openLab()
const hosts = ['spare-1', 'spare-2'] as const
const [first, second] = hosts
const unit = 'postgresql@15-main'
let stage: ClusterStage

async function done(task: string, flags: string[] = []): Promise<Outcome> {
  const outcome = await stage.run(task, flags)
  expect(outcome).toMatchObject({ code: 0, error: '' })
  return outcome
}

const takeWrites = () => writersAmong(lab, hosts)
const receiver = (host: string) => stage.psql(host, 'select status, slot_name from pg_stat_wal_receiver')

describe('a cluster of two bare machines, PostgreSQL 15', () => {
  beforeAll(async () => {
    stage = await ClusterStage.open(lab, [...hosts])
    await Promise.all(hosts.map((host) => stage.makeBare(host)))
    await done('pg-setup')
  })
  afterAll(async () => {
    await Promise.all(hosts.map((host) => stage.makeBare(host)))
    await stage.close()
  })

  test('what keeps the primary from having a standby is told together, and nothing is changed', async () => {
    await stage.psql(
      first,
      'alter system set max_wal_senders = 1; alter system set max_replication_slots = 0',
    )
    await lab.sh(first, `install -d -o postgres /srv/lab-fast; systemctl restart ${unit}`)
    await stage.psql(first, "create tablespace lab_fast location '/srv/lab-fast'")
    const refused = await stage.run('pg-replica')
    await stage.psql(first, 'drop tablespace lab_fast; alter system reset all')
    await lab.sh(first, `rm -r /srv/lab-fast; systemctl restart ${unit}`)
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.error).toMatch(
      /3 problems:[^]*has no replication slot left for spare-2: max_replication_slots is 0/,
    )
    expect(refused.error).toMatch(/has max_wal_senders 1; 0 are taken, and 2 more are needed/)
    expect(refused.error).toMatch(/has tablespaces \(lab_fast in \/srv\/lab-fast\)[^]*pg_basebackup -d/)
    expect(counts(refused).changed).toBe(0)
  })

  test('its standby is built; the second time neither task changes anything', async () => {
    const built = await done('pg-replica')
    expect(counts(built).changed).toBeGreaterThan(5)
    expect(await receiver(second)).toBe('streaming|spare_2')
    expect(await stage.psql(second, 'show server_version_num')).toMatch(/^15/)
    for (const task of ['pg-setup', 'pg-replica']) expect(counts(await done(task)).changed).toBe(0)
  })

  test('it changes roles and back under a writer, and loses no committed row', async () => {
    const writer = await Writer.start(lab, first, { hosts })
    try {
      for (const to of [second, first]) {
        await done('pg-switchover', ['--to', to, '--yes'])
        expect(await takeWrites()).toEqual([to])
        await writer.more(100)
      }
    } finally {
      await writer.stop()
    }
    const written = await writer.compare(first)
    console.log(`2 switchovers on PostgreSQL 15: ${JSON.stringify(written)}`)
    expect(written).toMatchObject({ lost: 0 })
  })

  test('it outlives a pulled plug: the old primary comes back fenced, and is rewound', async () => {
    const writer = await Writer.start(lab, first, { hosts })
    let written: Written
    try {
      await writer.more(200)
      // What the standby does not get from here on, the old primary alone has.
      await lab.cut(second)
      await writer.more(100)
      await lab.poweroff(first)
      await lab.mend(second)
      await done('pg-promote', ['--to', second, '--yes'])
      await writer.more(100)
      await writer.stop()
      expect(await takeWrites()).toEqual([second])
      written = await writer.compare(second)
    } finally {
      await writer.stop()
      await lab.mend(second)
      await lab.poweron(first)
    }
    // Its server starts at boot, and is kept from it.
    await expect
      .poll(async () => (await lab.sh(first, `systemctl is-active ${unit} || true`)).stdout.trim(), {
        timeout: 60_000,
      })
      .toBe('failed')
    expect((await lab.sh(first, `journalctl -b -u ${unit}`)).stdout).toMatch(/it was superseded/)
    expect(await takeWrites()).toEqual([second])

    const joined = await done('pg-replica', ['--yes'])
    const bytes = Number(/\((\d+) bytes\) of WAL after that/.exec(notes(joined))?.[1] ?? 0)
    console.log(`a promotion on PostgreSQL 15: ${JSON.stringify(written)}, ${bytes} bytes given up`)
    expect(written.lost).toBeGreaterThan(0)
    // A row and its commit take more than 100 bytes of WAL.
    expect(written.lost * 100).toBeLessThanOrEqual(bytes)
    expect(await takeWrites()).toEqual([second])
    expect(await receiver(first)).toBe('streaming|spare_1')
    expect(counts(await done('pg-replica')).changed).toBe(0)
  }, 240_000)
})

import { afterAll, beforeAll, expect, test } from 'vitest'

import { notes, type Outcome, runTask } from './faults/task-run.ts'
import { expectFollowed, placeFollowers } from './followers.ts'
import { openLab } from './lab.ts'
import { resetPooler } from './pooler.ts'
import { provisionPostgres } from './postgres.ts'
import { changed, psql, type ServerHost, servers, unit, whoTakesWrites } from './replication.ts'
import { Writer } from './writer.ts'

const lab = openLab()

/** How often the primary's plug is pulled under the writer. */
const rounds = Number(process.env['PROMOTIONS'] ?? 1)

function run(name: string, flags: string[]): Promise<Outcome> {
  return runTask(lab, name, ['--inventory', lab.files.inventory, ...flags])
}
const promote = (to: ServerHost) => run('pg-promote', ['--to', to, '--yes'])

async function roles(): Promise<{ leader: ServerHost; other: ServerHost }> {
  const [leader] = await whoTakesWrites(lab)
  const other = servers.find((host) => host !== leader)
  if (!leader || !other) throw new Error('nobody takes writes')
  return { leader, other }
}

/** pg_rewind logs in to a database, which replication alone does not need. */
const hba = '/etc/postgresql/17/main/pg_hba.conf'

beforeAll(async () => {
  await placeFollowers(lab)
  for (const host of servers) {
    await lab.sh(
      host,
      `echo 'host postgres replicator 10.10.10.0/24 scram-sha-256' >> ${hba}; systemctl reload ${unit}`,
    )
  }
})
afterAll(async () => {
  const { leader } = await roles()
  await psql(lab, leader, 'drop table if exists lab_fence')
  await Writer.clear(lab, leader)
  for (const host of servers) {
    await lab.sh(host, `sed -i '/^host postgres replicator/d' ${hba}; systemctl reload ${unit}`)
  }
  await provisionPostgres(lab)
  await resetPooler(lab)
})

test('refused while the primary answers: by SSH, by SSH without its server, or only to the standby', async () => {
  expect(await promote('pg-replica')).toMatchObject({
    code: 1,
    error: expect.stringMatching(/pg-primary answers, and is the primary[^]*pg-switchover/),
  })
  await lab.sh('pg-primary', `systemctl stop ${unit}`)
  expect((await promote('pg-replica')).error).toMatch(/pg-primary answers by SSH, though its server does not/)
  await lab.sh('pg-primary', `systemctl start ${unit}; systemctl stop ssh.socket ssh`)
  const unreached = await promote('pg-replica')
  await lab.sh('pg-primary', 'systemctl start ssh')
  expect(unreached.error).toMatch(/its server answers pg-replica at 10\.10\.10\.11:5432: it is not gone/)
  expect(await whoTakesWrites(lab)).toEqual(['pg-primary'])
})

test(
  `${rounds} promotions after a pulled plug: the old primary comes back, and takes no writes`,
  async () => {
    for (let round = 0; round < rounds; round += 1) {
      const { leader, other } = await roles()
      // A standby tries again every 5 s after its primary was away, and one that does not stream loses more.
      await expect
        .poll(() => psql(lab, other, 'select status from pg_stat_wal_receiver'), { timeout: 30_000 })
        .toBe('streaming')
      const writer = await Writer.start(lab, leader)
      const pooled = await Writer.start(lab, leader, { way: 'pooled' })
      try {
        await writer.more(200)
        await lab.poweroff(leader)
        const outcome = await promote(other)
        expect(outcome.error).toBe('')
        expect(notes(outcome)).toMatch(new RegExp(`${other} has received all up to`))
        expect(await whoTakesWrites(lab)).toEqual([other])
        // The pooler's client was in the middle of a row when its server lost its power.
        await Promise.all([writer.more(100), pooled.more(100)])
        await expectFollowed(lab, other)
        await Promise.all([writer.stop(), pooled.stop()])
        const all = [await writer.compare(other), await pooled.compare(other)]
        const lost = all.reduce((sum, written) => sum + written.lost, 0)
        // Its server starts at boot, and is kept from it.
        await lab.poweron(leader)
        await expect
          .poll(async () => (await lab.sh(leader, `systemctl is-active ${unit} || true`)).stdout.trim(), {
            timeout: 60_000,
          })
          .toBe('failed')
        expect(await whoTakesWrites(lab)).toEqual([other])
        expect((await lab.sh(leader, `journalctl -b -u ${unit}`)).stdout).toMatch(/it was superseded/)

        const again = await promote(other)
        expect(again.error).toBe('')
        const rejoined = await run('pg-replica', ['--yes'])
        expect(rejoined.error).toBe('')
        const bytes = Number(/\((\d+) bytes\) of WAL after that/.exec(notes(rejoined))?.[1] ?? 0)
        const [direct, through] = all.map(
          ({ errors, ...written }) => `${JSON.stringify(written)}, ${errors.length} errors`,
        )
        console.log(`promotion ${round + 1}: direct ${direct}; pooled ${through}; ${bytes} bytes given up`)
        // A row and its commit take more than 100 bytes of WAL.
        expect(lost * 100).toBeLessThanOrEqual(bytes)
        expect(await whoTakesWrites(lab)).toEqual([other])
        expect(await psql(lab, leader, 'select status from pg_stat_wal_receiver')).toBe('streaming')
        const healthy = await run('pg-replica', [])
        expect([healthy.error, changed(healthy.events)]).toEqual(['', 0])
      } finally {
        await Promise.all([writer.stop(), pooled.stop()])
      }
    }
  },
  rounds * 180_000,
)

test('primary and pooler cut off: promoted all the same; the next run stops the one and leads the other', async () => {
  const { leader, other } = await roles()
  await Promise.all([lab.cut(leader), lab.cut('vm-app')])
  const outcome = await promote(other)
  await Promise.all([lab.mend(leader), lab.mend('vm-app')])
  expect([outcome.code, outcome.error]).toEqual([0, ''])
  expect(notes(outcome)).toMatch(/run this task again as soon as it answers/)
  expect(notes(outcome)).toMatch(
    /the pooler of main does not follow: vm-app.*tasks\/pg-pooler\.ts --cluster main/,
  )
  expect(notes(outcome)).toMatch(/app weltenwind on vm-app does not follow: vm-app/)
  const fenced = await promote(other)
  expect(fenced.error).toBe('')
  expect(changed(fenced.events)).toBeGreaterThan(0)
  expect(await whoTakesWrites(lab)).toEqual([other])
  await expectFollowed(lab, other)
  // Whoever starts it: it is a standby.
  await lab.sh(leader, `systemctl start ${unit}`)
  expect(await whoTakesWrites(lab)).toEqual([other])
  expect((await run('pg-replica', ['--yes'])).error).toBe('')
  expect(await psql(lab, leader, 'select status from pg_stat_wal_receiver')).toBe('streaming')
})

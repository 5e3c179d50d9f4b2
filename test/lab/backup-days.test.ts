import { readFile } from 'node:fs/promises'

import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'

import { checkout, placeCheckout, removeCheckout } from './checkout.ts'
import { notes } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { provisionPostgres } from './postgres.ts'
import { RestoreStage } from './restore-stage.ts'
import { provisionStore, removeStore } from './store.ts'

/** Three days of the real schedule, then a disaster. */
const lab = openLab()
const ops = 'vm-assets'
const user = 'keeper'
const jobs = ['backup-now', 'backup-verify', 'backup-prune']
const rows = 3000
const backup = {
  databases: ['weltenwind'],
  keep: { daily: 2, minimum: 1 },
  checks: { weltenwind: [`select count(*) >= ${rows} from worlds`] },
  schedule: { host: ops, directory: checkout, user },
}
const facts = `select (select count(*) from worlds), (select sum(id) from worlds), (select count(*) from rested),
  has_table_privilege('ww_reader', 'worlds', 'select'),
  (select relowner::regrole from pg_class where relname = 'worlds')`
const Listed = z.object({
  backups: z.array(z.object({ state: z.string(), age: z.number() })),
  warnings: z.array(z.string()),
})
let stage: RestoreStage
let lastFacts = ''

beforeAll(async () => {
  stage = await RestoreStage.open(lab)
  await lab.sh(ops, `id ${user} 2> /dev/null || useradd --create-home --shell /bin/bash ${user}`)
  await Promise.all([provisionPostgres(lab), provisionStore(lab), placeCheckout(lab, ops, user, 'real')])
  await stage.psql(
    'pg-primary',
    `drop database if exists weltenwind; create database weltenwind owner ww_app;
drop role if exists ww_reader; create role ww_reader login;`,
  )
  await stage.psql(
    'pg-primary',
    'set role ww_app; create table worlds (id serial primary key, name text not null); grant select on worlds to ww_reader; create materialized view rested as select md5(i::text) from generate_series(1, 100) i;',
    'weltenwind',
  )
  // What its user has there to reach the machines, and the inventory, in which the key is its own.
  await lab.sh(ops, `install -d -m 700 -o ${user} /home/${user}/.ssh`)
  for (const [from, to] of [
    [lab.files.key, 'id_ed25519'],
    [lab.files.knownHosts, 'known_hosts'],
  ] as const) {
    const path = `/home/${user}/.ssh/${to}`
    await lab.sh(ops, `umask 077; cat > ${path}; chown ${user}: ${path}`, {
      input: await readFile(from, 'utf8'),
    })
  }
  await stage.write({ backup })
  const text = (await readFile(stage.inventory, 'utf8')).replaceAll(lab.files.key, '~/.ssh/id_ed25519')
  await lab.sh(ops, `cat > ${checkout}/inventory.json`, { input: text })
  const moved = await readFile(new URL('backup/moved-clock.ts', import.meta.url), 'utf8')
  await lab.sh(
    ops,
    `mkdir -p ${checkout}/test/lab/backup; cat > ${checkout}/test/lab/backup/moved-clock.ts`,
    {
      input: moved,
    },
  )
})

afterAll(async () => {
  await lab.poweron('pg-primary').catch(() => {})
  await stage.run('backup-down', [], { backup })
  await lab.sh(ops, `userdel --remove ${user}`, { nothrow: true })
  await removeCheckout(lab, ops)
  await stage.psql(
    'pg-primary',
    String.raw`select format('drop database %I with (force)', datname) from pg_database where datname ~ '^weltenwind(__|$)' \gexec
drop role ww_reader`,
  )
  await provisionPostgres(lab)
  await removeStore(lab)
  await stage.close()
})

/** A day of the schedule, as systemd runs it, with the clock functions of the tasks moved. */
async function day(hours: number): Promise<void> {
  const dropIn = `[Service]
Environment="NODE_OPTIONS=--import tsx --import ./test/lab/backup/moved-clock.ts" MOVED_HOURS=${hours}
`
  const units = jobs.map((job) => `hausmeister-weltenwind-${job}.service`)
  const script = `set -e
text=$(cat)
for unit in ${units.join(' ')}; do
  mkdir -p /etc/systemd/system/$unit.d
  echo "$text" > /etc/systemd/system/$unit.d/clock.conf
done
systemctl daemon-reload
for unit in ${units.join(' ')}; do
  systemctl start $unit || { journalctl -u $unit -n 30 -o cat; exit 1; }
done`
  const { exitCode, stdout } = await lab.sh(ops, script, { input: dropIn, nothrow: true, timeout: 240_000 })
  expect([exitCode, stdout]).toEqual([0, ''])
}

test(
  'three days: each backed up, restored to be verified, and pruned by its own timers',
  { timeout: 300_000 },
  async () => {
    expect(await stage.run('backup-up', [], { backup })).toMatchObject({ code: 0, error: '' })
    const told = `journalctl -q -o cat --since -1h _SYSTEMD_UNIT=hausmeister-weltenwind-backup-now.service`
    for (const hours of [-48, -24, 0]) {
      await stage.psql(
        'pg-primary',
        `set role ww_app; insert into worlds (name) select md5(i::text) from generate_series(1, ${rows}) i`,
        'weltenwind',
      )
      await day(hours)
    }
    lastFacts = await stage.psql('pg-primary', facts, 'weltenwind')
    expect(lastFacts).toBe(`${3 * rows}|${(3 * rows * (3 * rows + 1)) / 2}|100|t|ww_app`)
    // Quiet when all is well.
    expect((await lab.sh(ops, told)).stdout).toBe('')

    const list = await stage.run('backup-list', [], { backup })
    expect(list).toMatchObject({ code: 0, error: '' })
    const data = Listed.parse(list.events.find(({ event }) => event === 'data')?.data)
    expect(data).toMatchObject({ backups: [{ state: 'verified' }, { state: 'verified' }], warnings: [] })
    // The oldest of three is not kept.
    const [newest = 0, other = 0] = data.backups.map(({ age }) => age / 3600)
    expect(Math.round(newest)).toBe(0)
    expect(Math.round(other)).toBe(24)
  },
)

test(
  'disaster: the database is dropped, then its machine is gone; every row comes back',
  { timeout: 300_000 },
  async () => {
    await stage.psql('pg-primary', 'drop database weltenwind with (force)')
    const first = await stage.restore([], { backup })
    expect(first).toMatchObject({ code: 0, error: '' })
    expect(await stage.psql('pg-primary', facts, 'weltenwind')).toBe(lastFacts)

    await lab.poweroff('pg-primary')
    const fresh = { backup, main: { hosts: ['vm-grafana'], replication: undefined } }
    try {
      expect(await stage.run('pg-setup', ['--yes'], fresh)).toMatchObject({ code: 0, error: '' })
      const anew = await stage.restore([], fresh)
      expect(anew).toMatchObject({ code: 0, error: '' })
      expect(notes(anew)).toMatch(/ww_reader had to be made/)
      expect(anew.events.find(({ event }) => event === 'data')?.data).toMatchObject({
        rtoMs: expect.any(Number),
        rpoMs: expect.any(Number),
      })
      expect(await stage.psql('vm-grafana', facts, 'weltenwind')).toBe(lastFacts)
    } finally {
      await lab.sh(
        'vm-grafana',
        'systemctl stop postgresql@17-main; systemctl disable --now postgresql; pg_dropcluster 17 main; pg_createcluster 17 main',
      )
    }
  },
)

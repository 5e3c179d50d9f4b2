import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'

import { backup, idOf, Shelves } from './backup/shelves.ts'
import { changes, notes, type Outcome } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { storeAccount } from './secrets.ts'
import { provisionStore, removeStore } from './store.ts'

const lab = openLab()
let shelves: Shelves

/** Last night's was not verified yet; those of ten nights before were. */
const nights = Array.from({ length: 11 }, (_, ago) => idOf(ago + 0.1))
/** Damaged ones, so that pruning takes a while. */
const wrecks = Array.from({ length: 12 }, (_, count) => idOf(30 + count))
const broken = {
  cutOff: idOf(6.3),
  truncated: idOf(6.4),
  without: idOf(6.5),
  garbled: idOf(6.6),
  bad: idOf(6.7),
}
const kept = nights.slice(0, 8)
const isGood = { [kept[0] ?? '']: 'whole', ...stateOf(kept.slice(1), 'verified') }

const startProxy = `set -e
systemctl stop lab-swift-proxy 2> /dev/null || true
systemctl reset-failed lab-swift-proxy 2> /dev/null || true
systemd-run -q --unit lab-swift-proxy -p User=swift swift-proxy-server /etc/swift/proxy-server.conf
for try in $(seq 300); do curl -sf http://127.0.0.1:8080/healthcheck && exit; sleep 0.2; done
exit 1`

/** A second user of the store, who may read what is in the bucket, and do nothing else. */
const addReader = `set -e
read -r secret
sed -i "/^use = egg:swift#tempauth/a user_lab_reader = $secret" /etc/swift/proxy-server.conf
${startProxy.replace('&& exit', '&& break').replace('exit 1', '')}
answer=$(curl -sf -D - -o /dev/null -H 'X-Auth-User: ${storeAccount}' -H "X-Auth-Key: $secret" http://127.0.0.1:8080/auth/v1.0 | tr -d '\r')
url=$(sed -n 's/^X-Storage-Url: //Ip' <<< "$answer")
token=$(sed -n 's/^X-Auth-Token: //Ip' <<< "$answer")
for container in weltenwind-backups weltenwind-backups+segments; do
  curl -sf -X POST -H "X-Auth-Token: $token" -H 'X-Container-Read: lab:reader' "$url/$container"
done`

beforeAll(async () => {
  await provisionStore(lab)
  shelves = await Shelves.open(lab)
  await shelves.put(
    [
      Object.assign(
        {},
        ...wrecks.map((id) => backup(id, { manifest: '{"format":1' })),
        backup(broken.cutOff, { manifest: null }),
        backup(broken.truncated, { content: 'short' }),
        backup(broken.without, { content: null }),
        backup(broken.garbled, { manifest: '' }),
        backup(broken.bad, { restored: 'bad' }),
        backup(idOf(3), { database: 'sold' }),
        ...nights.slice(2).map((id) => backup(id, { restored: 'good' })),
      ),
      ...nights
        .slice(0, 2)
        .toReversed()
        .map((id, ago) => backup(id, ago === 0 ? { restored: 'good' } : {})),
    ],
    [`weltenwind/postgres/main/weltenwind/${idOf(2)}/dump.age`],
  )
})
afterAll(async () => {
  await shelves.close()
  await removeStore(lab)
})

const Listed = z.object({
  subject: z.string(),
  inventory: z.boolean(),
  backups: z.array(z.object({ id: z.string(), state: z.string() })),
  uploads: z.array(z.object({ key: z.string() })),
})

function listed({ events }: Outcome) {
  return events.flatMap(({ event, data }) => (event === 'data' ? [Listed.parse(data)] : []))
}

function stateOf(ids: string[], state: string): Record<string, string> {
  return Object.fromEntries(ids.map((id) => [id, state]))
}

/** What backup-list says of each backup of the database. */
async function states(): Promise<Record<string, string>> {
  const run = await shelves.run('backup-list', ['--only', 'weltenwind'])
  expect(run.error).toBe('')
  return Object.fromEntries(listed(run)[0]?.backups.map(({ id, state }) => [id, state]) ?? [])
}

test('backup-list names what is damaged, bad, cut off, and nobody’s', async () => {
  const run = await shelves.run('backup-list')
  expect([run.code, run.error, changes(run)]).toEqual([0, '', 0])
  const [ours, sold] = listed(run)
  expect(Object.fromEntries(ours?.backups.map(({ id, state }) => [id, state]) ?? [])).toEqual({
    ...isGood,
    ...stateOf(nights.slice(8), 'verified'),
    ...stateOf(wrecks, 'damaged'),
    [broken.cutOff]: 'incomplete',
    [broken.truncated]: 'damaged',
    [broken.without]: 'damaged',
    [broken.garbled]: 'damaged',
    [broken.bad]: 'bad',
  })
  expect(ours?.uploads).toHaveLength(1)
  expect([sold?.subject, sold?.inventory]).toEqual(['main/sold', false])
  for (const text of [
    `${broken.truncated} is damaged: dump.age has 5 bytes, and its manifest says 17`,
    `${broken.without} is damaged: dump.age is not there`,
    `${broken.garbled} is damaged: its manifest cannot be read`,
    `${broken.bad} could not be restored: public.worlds has 2 rows, and its manifest says 3`,
    'main/sold: the inventory does not have it backed up',
  ]) {
    expect(notes(run)).toContain(text)
  }
})

test('with a wrong key, or one that may only read, nothing is removed', async () => {
  const { store } = await lab.secrets()
  await shelves.withKey(storeAccount, `${store}x`, async () => {
    const run = await shelves.pruneIn(0)
    expect([run.code, changes(run)]).toEqual([1, 0])
    expect(run.error).toContain('check the key')
  })
  await lab.sh('pbs', addReader, { input: `${store}\n` })
  await shelves.withKey('lab:reader', store, async () => {
    const run = await shelves.pruneIn(0)
    expect([run.code, changes(run)]).toEqual([1, 0])
    expect(run.error).toContain('does not let env:BACKUP_ACCESS_KEY do this')
    expect(run.error).toContain('0 of 2 objects of main/weltenwind')
  })
})

test(
  'wherever it is cut off, no good one is gone, and the next run finishes',
  { timeout: 300_000 },
  async () => {
    const killed = await shelves.pruneIn(0, ['--yes'], {
      on: ({ event, state }, kill) => event === 'change' && state === 'done' && kill('SIGKILL'),
    })
    expect(killed.events.at(-1)?.event).not.toBe('end')
    expect(await states()).toMatchObject(isGood)

    let stopping: Promise<unknown> | undefined
    const lost = await shelves.pruneIn(0, ['--yes'], {
      on: ({ event, state }) => {
        if (event === 'change' && state === 'done') {
          stopping ??= lab.sh('pbs', 'systemctl kill --signal=KILL lab-swift-proxy')
        }
      },
    })
    await stopping
    expect(lost.code).toBe(3)
    expect(lost.error).toMatch(/no answer from bucket weltenwind-backups.*ECONN/)
    expect(lost.error).toContain('the next run takes the rest')
    const silent = await shelves.run('backup-list')
    expect([silent.code, listed(silent)]).toEqual([3, []])
    await lab.sh('pbs', startProxy)
    expect(await states()).toMatchObject(isGood)

    // By then nothing of what was cut off is younger than a day.
    const next = await shelves.pruneIn(25)
    expect([next.code, next.error]).toEqual([0, ''])
    const [end] = listed(await shelves.run('backup-list'))
    expect(Object.fromEntries(end?.backups.map(({ id, state }) => [id, state]) ?? [])).toEqual(isGood)
    expect(end?.uploads).toEqual([])
    const again = await shelves.pruneIn(25)
    expect([again.code, changes(again)]).toEqual([0, 0])
  },
)

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import * as z from 'zod'

import { fastForm } from '../../lib/schedule/checkout.ts'
import { makeBucket } from '../lab/bucket.ts'
import { type Lab, openLab } from '../lab/lab.ts'
import { machines } from '../lab/machines.ts'
import { provisionStore, removeStore } from '../lab/store.ts'
import { median, race, roundsOf } from './race.ts'
import { table } from './table.ts'

const host = 'vm-grafana'
/** About 5 GB. */
const scale = 340
const patience = 1_800_000
const preload = fileURLToPath(new URL('memory.mjs', import.meta.url))

/** How much of the speed of pg_dump alone is to be left, and how much memory may be taken. */
const goal = { share: 0.9, megabytes: 200 }

const titles = {
  alone: '`pg_dump -Fc --compress=zstd > /dev/null` on the machine',
  stored: 'backup-now: the dump encrypted and stored, its rows counted',
  whole: 'backup-now from its start to its end, read back',
}

const Memory = z.object({ peak: z.number(), quarters: z.array(z.number()) })

/** A database of 5 GB: backup-now from its start to its end, against the same pg_dump to /dev/null. Returns Markdown. */
export async function backUpSection(signal: AbortSignal, say: (line: string) => void): Promise<string> {
  const lab = openLab(process.env['LAB_NAME'] ?? 'hm-bench')
  const ours = (await lab.record())?.machines.length !== machines.length
  try {
    if (ours) await lab.up([], (line) => say(`lab ${lab.name}: ${line}`))
    signal.throwIfAborted()
    return await measure(lab, signal, say)
  } finally {
    if (ours) await lab.down()
  }
}

const fill = `set -eu
systemctl start postgresql@17-main
cd /
until runuser -u postgres -- pg_isready -q; do sleep 0.2; done
runuser -u postgres -- psql -qc "alter system set max_wal_size = '4GB'" -c 'select pg_reload_conf()' > /dev/null
runuser -u postgres -- createdb large
runuser -u postgres -- pgbench -q -i -s ${scale} large 2> /dev/null
runuser -u postgres -- psql -At -c "select pg_database_size('large')"`

const clear = `cd /
runuser -u postgres -- dropdb --if-exists large
runuser -u postgres -- psql -qc 'alter system reset max_wal_size'
systemctl stop postgresql@17-main`

async function measure(lab: Lab, signal: AbortSignal, say: (line: string) => void): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hausmeister-bench-'))
  try {
    say('backup: filling a database')
    await provisionStore(lab)
    await makeBucket(lab)
    const bytes = Number((await lab.sh(host, fill, { timeout: patience })).stdout)
    const inventory = await writeInventory(lab, folder)
    const memory: z.infer<typeof Memory>[] = []
    const task = async () => {
      const command = ['tasks/backup-now.ts', '--json', '--inventory', inventory]
      const flags = ['--import', preload, fastForm, ...command]
      const start = performance.now()
      const { stdout, stderr } = await lab.controller(process.execPath, flags, { cancelSignal: signal })
      const whole = performance.now() - start
      const [, json = ''] = /^memory (.*)$/m.exec(stderr) ?? []
      memory.push(Memory.parse(JSON.parse(json)))
      return { whole, stored: stored(stdout) }
    }
    const dump = async () => {
      const start = performance.now()
      const command = 'cd /; runuser -u postgres -- pg_dump -Fc --compress=zstd large > /dev/null'
      await lab.sh(host, command, { timeout: patience })
      return { alone: performance.now() - start }
    }
    say('backup: once for the cache')
    await dump()
    say('backup: both in turns')
    const times = await race([{ run: task }, { run: dump }], { rounds: 3, budget: 900_000 })
    const rate = (name: string) => bytes / 2 ** 20 / (median(times, name) / 1000)
    const share = rate('stored') / rate('alone')
    const peak = Math.max(...memory.map((one) => one.peak)) / 2 ** 20
    const quarters = memory.at(-1)?.quarters.map((one) => Math.round(one / 2 ** 20)) ?? []
    return [
      `### A backup of ${(bytes / 2 ** 30).toFixed(1)} GiB, medians of ${roundsOf(times)} rounds`,
      '',
      table(
        ['', 'time', 'of the database'],
        Object.entries(titles).map(([name, title]) => [
          title,
          `${(median(times, name) / 1000).toFixed(1)} s`,
          `${Math.round(rate(name))} MiB/s`,
        ]),
      ),
      '',
      `- Goal: at least ${goal.share} of the speed of pg_dump: ${share >= goal.share ? 'met' : 'missed'} (${share.toFixed(2)}).`,
      `- Goal: memory flat below ${goal.megabytes} MiB: ${peak < goal.megabytes ? 'met' : 'missed'} (at most ${Math.round(peak)}; in the quarters of one run ${quarters.join(', ')}).`,
    ].join('\n')
  } finally {
    await lab.sh(host, clear, { timeout: patience, nothrow: true })
    await removeStore(lab)
    await rm(folder, { recursive: true, force: true })
  }
}

async function writeInventory(lab: Lab, folder: string): Promise<string> {
  const inventory: Record<string, unknown> = JSON.parse(await readFile(lab.files.inventory, 'utf8'))
  const databases = { large: { owner: 'postgres', environment: 'test' } }
  const postgres = { large: { hosts: [host], databases, roles: { postgres: {} } } }
  const file = join(folder, 'inventory.json')
  await writeFile(file, JSON.stringify({ ...inventory, postgres, apps: {} }))
  await writeFile(join(folder, '.env'), await readFile(lab.files.env, 'utf8'), { mode: 0o600 })
  return file
}

const Step = z.object({
  event: z.string(),
  state: z.string().optional(),
  title: z.string().optional(),
  ms: z.number().optional(),
})

/** Milliseconds that the step of the dump took. */
function stored(output: string): number {
  const steps = output.split('\n').flatMap((line) => (line === '' ? [] : [Step.parse(JSON.parse(line))]))
  const dump = steps.find(({ state, title }) => state === 'done' && title?.startsWith('Dump large/'))
  if (dump?.ms === undefined) throw new Error(output.slice(-2000))
  return dump.ms
}

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'

import { begins, type Outcome, type RunOptions, runTask } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { hostNamespace, namespacePath } from './place.ts'
import { pbsTokenId, pveTokenId, sampleWorld } from './pve-peer/sample.ts'
import type { World } from './pve-peer/world.ts'

const lab = openLab()
/** Reached from inside only: the workstation has no cable there. */
const address = '10.10.10.10'
const world: World = {
  ...sampleWorld(),
  guests: [...sampleWorld().guests, { vmid: 104, name: 'new', type: 'lxc', node: 'pve2' }],
  vzdump: { ms: 1500, end: 'OK', stores: true },
}
const Sides = z.object({
  pve: z.object({ fingerprint: z.string() }),
  pbs: z.object({ fingerprint: z.string() }),
})

let folder: string
let inventory: string
let peer: ReturnType<typeof startPeer>

/** In the network of the machine pve. */
function startPeer() {
  const network = `--net=${namespacePath(hostNamespace(lab.place, 'pve'))}`
  return execa('nsenter', [network, process.execPath, '--import', 'tsx', 'test/lab/pve-peer/main.ts'], {
    reject: false,
    buffer: false,
  })
}

beforeAll(async () => {
  peer = startPeer()
  peer.stdin.write(`${JSON.stringify({ world, at: { address, pvePort: 8006, pbsPort: 8007 } })}\n`)
  const said = new Promise<string>((resolve) => peer.stdout.once('data', (data) => resolve(String(data))))
  const { pve, pbs } = Sides.parse(JSON.parse(await said))
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-pbs-'))
  inventory = await write(pve.fingerprint, pbs.fingerprint)
})
afterAll(async () => {
  await lab.mend('pve')
  peer.stdin.end()
  await peer
  await rm(folder, { recursive: true, force: true })
})

async function write(pveFingerprint: string, pbsFingerprint: string): Promise<string> {
  const own = JSON.parse(await readFile(lab.files.inventory, 'utf8'))
  const file = join(folder, `inventory-${pveFingerprint.slice(0, 2)}.json`)
  const proxmox = {
    home: {
      nodes: { pve: { url: `https://${address}:8006`, fingerprint: pveFingerprint } },
      token: 'env:PVE_TOKEN',
      via: 'pve',
      backup: {
        url: `https://${address}:8007`,
        fingerprint: pbsFingerprint,
        token: 'env:PBS_TOKEN',
        via: 'pve',
        datastore: 'tank',
        namespace: 'home',
        exempt: ['pbs'],
      },
    },
  }
  await writeFile(file, JSON.stringify({ ...own, proxmox }))
  const secrets = [
    await readFile(lab.files.env, 'utf8'),
    `PVE_TOKEN=${pveTokenId}=${world.pveTokens[pveTokenId]?.secret}`,
    `PBS_TOKEN=${pbsTokenId}=${world.pbsTokens[pbsTokenId]?.secret}`,
  ]
  await writeFile(join(folder, '.env'), secrets.join('\n'), { mode: 0o600 })
  return file
}

function run(flags: string[], options: RunOptions = {}, of = inventory): Promise<Outcome> {
  return runTask(lab, 'backup-pbs', ['--inventory', of, ...flags], options)
}

test('a new guest is missing, through SSH; backed up by hand it is there, and its files are listed', async () => {
  const before = await run([])
  expect(before.code).toBe(1)
  expect(before.error).toContain('1 of 6 guests are not backed up as they should be')
  expect(before.error).toContain('new (104): it has no backup; no backup job has it')

  const started = await run(['--start', 'new'])
  expect([started.code, started.error]).toEqual([0, ''])
  expect(started.events.findLast(({ event }) => event === 'step')?.detail).toBe('new (1.0 GB)')
  expect(started.events.some(({ event, detail }) => event === 'progress' && detail?.includes('%'))).toBe(true)

  const files = await run(['--files', 'new'])
  expect([files.code, files.error]).toEqual([0, ''])
  for (const { secret } of Object.values({ ...world.pveTokens, ...world.pbsTokens })) {
    expect(JSON.stringify([before, started, files])).not.toContain(secret)
  }
})

test('Ctrl-C while it runs stops the task in the cluster', async () => {
  let stopped = false
  const cancelled = await run(['--start', 'db'], {
    on: (line, kill) => {
      if (!stopped && begins('Wait for the backup', line)) {
        stopped = true
        kill('SIGINT')
      }
    },
  })
  expect(cancelled.code).toBe(130)
  expect(cancelled.error).toMatch(/cancelled by Ctrl-C\nstopped: UPID:pve1:/)
  // Nothing is at work any more, or this would be refused with 75.
  const next = await run(['--start', 'db', '--dry-run'])
  expect([next.code, next.error]).toEqual([0, ''])
})

test('another certificate is refused before the token is sent; a cable that is cut is no hang', async () => {
  const wrong = await write(Array.from({ length: 32 }, () => 'AA').join(':'), 'BB'.concat(':BB'.repeat(31)))
  const refused = await run([], {}, wrong)
  expect(refused.code).toBe(3)
  expect(refused.error).toContain('it shows another certificate')

  await lab.cut('pve')
  const silent = await run([])
  await lab.mend('pve')
  expect(silent.code).toBe(3)
  expect(silent.error).toContain('no answer')
  expect(silent.ms).toBeLessThan(40_000)
})

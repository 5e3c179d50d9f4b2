import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type * as z from 'zod'

import { Hosts } from '../../../lib/host/hosts.ts'
import { fingerprint, KnownHosts, rememberKey, type Verdict } from '../../../lib/host/known-hosts.ts'
import { Cancellation } from '../../../lib/task/cancellation.ts'
import type { TaskEventBody } from '../../../lib/task/events.ts'
import { Session } from '../../../lib/task/session.ts'
import { task } from '../../../tasks/network-trust.ts'
import { estateOf, failure, RecordedRun } from '../doubles.ts'

/** A public key in wire format; only the type at its beginning means something here. */
function newKey(): Buffer {
  const type = 'ssh-ed25519'
  return Buffer.concat([Buffer.from([0, 0, 0, type.length]), Buffer.from(type), randomBytes(36)])
}

const key = newKey()
let folder = ''
let file = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-trust-'))
  file = join(folder, 'known_hosts')
})
afterEach(() => rm(folder, { recursive: true }))

class ShownKey extends Hosts {
  override async hostKey(): Promise<{ key: Buffer; names: string[]; verdict: Verdict; file: string }> {
    const names = ['192.0.2.1']
    return { key, names, verdict: (await KnownHosts.read([file])).check(names, key), file }
  }
}

interface Options extends Omit<z.input<typeof task.flags>, 'host'> {
  yes?: boolean
  dryRun?: boolean
}

async function trust({ yes = false, dryRun = false, ...flags }: Options = {}): Promise<{
  notes: string
  changes: string[]
}> {
  const run = new RecordedRun({ dryRun })
  const estate = await estateOf({
    networks: { lan: { cidr: '192.0.2.0/24' } },
    hosts: { 'pg-1': { addresses: { lan: '192.0.2.1' } } },
  })
  const events: TaskEventBody[] = []
  const given = task.flags.parse({ host: 'pg-1', ...flags })
  task.preflight({ estate, flags: given })
  await task.run(
    new Session({
      estate,
      flags: given,
      hosts: new ShownKey(estate, run),
      run,
      holder: { who: 'anna@desk', task: 'network-trust', since: '' },
      inventory: undefined,
      yes,
      emit: (event) => void events.push(event),
      ask: undefined,
      cancellation: new Cancellation(),
    }),
  )
  return {
    notes: events.flatMap((event) => (event.event === 'note' ? [event.text] : [])).join('\n'),
    changes: run.changes.map(({ state, host, command }) => `${state} on ${host}: ${command}`),
  }
}

async function isKnown(): Promise<boolean> {
  return (await KnownHosts.read([file])).check(['192.0.2.1'], key).known === 'yes'
}

describe('an unknown key', () => {
  test('is shown, and written when the operator agrees', async () => {
    const { notes, changes } = await trust({ yes: true })
    expect(notes).toBe(`192.0.2.1 shows ssh-ed25519 ${fingerprint(key)}`)
    expect(changes).toEqual([`done on this computer: add 192.0.2.1 to ${file}`])
    expect(await isKnown()).toBe(true)
  })

  test('is not written when nobody can be asked', async () => {
    expect((await failure(trust())).message).toContain('give --yes')
    expect(await isKnown()).toBe(false)
  })

  test('is written without a question when its fingerprint was given', async () => {
    await trust({ fingerprint: fingerprint(key) })
    expect(await isKnown()).toBe(true)
  })

  test('is not written when another one was given, whatever --yes says', async () => {
    const other = fingerprint(newKey())
    expect((await failure(trust({ yes: true, fingerprint: other }))).message).toBe(
      `pg-1 shows ${fingerprint(key)}, and not ${other}; nothing was written`,
    )
    expect(await isKnown()).toBe(false)
  })

  test('is not written in a dry run', async () => {
    expect((await trust({ dryRun: true })).changes).toEqual([
      `would on this computer: add 192.0.2.1 to ${file}`,
    ])
    expect(await isKnown()).toBe(false)
  })
})

describe('a changed key', () => {
  test('is refused, and what to do is said', async () => {
    await rememberKey(file, ['192.0.2.1'], newKey())
    expect(await failure(trust({ yes: true }))).toMatchObject({
      message: `${file} line 1 has another key for pg-1`,
      next: 'if you know why it changed: npx tsx tasks/network-trust.ts --host pg-1 --replace',
    })
    expect(await isKnown()).toBe(false)
  })

  test('takes the place of the old one with --replace', async () => {
    await rememberKey(file, ['192.0.2.1'], newKey())
    await trust({ yes: true, replace: true })
    expect(await isKnown()).toBe(true)
    expect((await readFile(file, 'utf8')).trim().split('\n').length).toBe(1)
  })
})

test('a key that is known already: nothing to do', async () => {
  await rememberKey(file, ['192.0.2.1'], key)
  expect(await trust()).toMatchObject({
    notes: expect.stringContaining('known_hosts has this key already'),
    changes: [],
  })
})

test('a revoked key is never accepted', async () => {
  await writeFile(file, `@revoked * ssh-ed25519 ${key.toString('base64')}\n`)
  const error = await failure(trust({ yes: true, replace: true, fingerprint: fingerprint(key) }))
  expect(error.message).toBe(`this key is revoked by ${file} line 1`)
})

test('a machine that the inventory does not have', async () => {
  const estate = await estateOf({})
  const flags = task.flags.parse({ host: 'pg-9' })
  expect(() => task.preflight({ estate, flags })).toThrow('has no host "pg-9"')
})

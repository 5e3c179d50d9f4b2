import { describe, expect, test } from 'vitest'

import { Access, Host } from '../../../../lib/host/host.ts'
import { Hosts } from '../../../../lib/host/hosts.ts'
import type { Estate } from '../../../../lib/inventory/estate.ts'
import { clusterTarget } from '../../../../lib/postgres/replication/cluster-target.ts'
import type { InstanceFacts } from '../../../../lib/postgres/replication/instance-facts.ts'
import {
  buildProblems,
  clockProblem,
  followProblems,
} from '../../../../lib/postgres/replication/join-problems.ts'
import type { Standing } from '../../../../lib/postgres/replication/replication.ts'
import { estateOf, RecordedRun, ScriptedMachine } from '../../doubles.ts'
import { primary, stopped, system } from './nodes-sample.ts'

const estate: Estate = await estateOf({
  networks: { lan: { cidr: '192.0.2.0/24' } },
  hosts: Object.fromEntries([1, 2].map((n) => [`pg-${n}`, { addresses: { lan: `192.0.2.${n}` } }])),
  postgres: {
    main: {
      hosts: ['pg-1', 'pg-2'],
      replication: 'standby',
      roles: { standby: { password: 'env:STANDBY' } },
    },
  },
})
const target = { ...clusterTarget(estate, 'main'), password: () => 'x' }

const run = new RecordedRun()
const reaching = { estate, run, hosts: new Hosts(estate, run) }

function leaderWith(its: Partial<Standing> = {}, facts: Partial<InstanceFacts> = {}, feeds: string[] = []) {
  const node = primary('pg-1', feeds, its, facts)
  if (!node.standing) throw new Error('a primary runs')
  return { node, standing: node.standing, history: [] }
}

/** A bare machine that gets in on the primary. */
function bareWith(facts: Partial<InstanceFacts> = {}) {
  const node = stopped('pg-2', undefined, facts)
  const machine = new ScriptedMachine('pg-2', ({ script, say }) => {
    if (script.includes('mountpoint')) return 32
    say(`${system}|2|0/5000000|\n`)
    return 0
  })
  const host = new Host(new Access(machine, async () => undefined), new RecordedRun(), 'root')
  return { ...node, instance: { ...node.instance, host } }
}

function problems(leader = leaderWith(), node = bareWith()): Promise<string[]> {
  return buildProblems(reaching, target, leader, node, 0)
}

const slot = (name: string, active: boolean) => ({
  name,
  kind: 'physical',
  active,
  wal: 'reserved',
  address: active ? '192.0.2.9' : null,
  application: null,
})

test('nothing speaks against a bare machine', async () => {
  expect(await problems()).toEqual([])
})

describe('the primary has none left', () => {
  test('of its WAL senders: who has them, and what to do', async () => {
    const [problem, ...others] = await problems(leaderWith({ walSenders: 3 }, {}, ['pg-3', 'archiver']))
    expect(others).toEqual([])
    expect(problem).toMatch(
      /^pg-1 has max_wal_senders 3; 2 are taken, by pg-3 at .*, by archiver at .*, and 2 more are needed\n {2}next: raise max_wal_senders/,
    )
  })

  test('of its slots', async () => {
    const leader = leaderWith({ maxSlots: 2, slots: [slot('pg_3', true), slot('old', false)] })
    const [problem, ...others] = await problems(leader)
    expect(others).toEqual([])
    expect(problem).toMatch(
      /no replication slot left for pg-2: max_replication_slots is 2, taken by pg_3 \(in use\), old \(idle\)\n {2}next: drop one/,
    )
  })

  test.each([
    ['a logical one', { ...slot('pg_2', false), kind: 'logical' }, /the slot pg_2 on pg-1 is a logical one/],
    [
      'in use elsewhere',
      slot('pg_2', true),
      /in use by no name at 192\.0\.2\.9, and pg-2 is 192\.0\.2\.2\n {2}next: find out/,
    ],
  ])('of its name: the slot is %s', async (_, taken, says) => {
    expect(await problems(leaderWith({ slots: [taken] }))).toEqual([expect.stringMatching(says)])
  })

  test('but the standby has its own slot already, and streams: nothing is missing', () => {
    const its = { maxSlots: 1, slots: [slot('pg_2', false)], walSenders: 1 }
    const follows = (feeds: string[]) => followProblems(reaching, leaderWith(its, {}, feeds), bareWith())
    expect(follows(['pg-2'])).toEqual([])
    expect(follows(['archiver'])).toEqual([expect.stringMatching(/max_wal_senders 1; 1 are taken/)])
  })
})

test('tablespaces: what to do by hand, without the password', async () => {
  const [problem, ...others] = await problems(
    leaderWith({ tablespaces: [{ name: 'fast', folder: '/srv/fast' }] }),
  )
  expect(others).toEqual([])
  expect(problem).toMatch(/tablespaces \(fast in \/srv\/fast\), and this task copies none/)
  expect(problem).toMatch(
    /-m 700 \/srv\/fast\n.*mv -T .*\n.*pg_basebackup -d 'host=192\.0\.2\.1 port=5432 user=standby'/,
  )
})

describe('clocks', () => {
  test.each([
    [0, 4900, undefined],
    [0, 61_000, /the clock of pg-2 is 61 s ahead of that of pg-1/],
    [30_000, -30_000, /the clock of pg-2 is 60 s behind that of pg-1\n {2}next: timedatectl/],
  ])('ours is %i ms off for the primary and %i ms for the standby', async (one, other, says) => {
    const leader = leaderWith({}, { clock: one })
    const node = bareWith({ clock: other })
    const found = clockProblem(node, leader.node)
    if (says === undefined) expect(found).toBeUndefined()
    else expect(found).toMatch(says)
    expect(await problems(leader, node)).toEqual(found === undefined ? [] : [found])
  })
})

/** A database that is sorted by language. */
const german = (provider: string, collate = 'de_DE.UTF-8') => ({
  sorting: [{ database: 'shop', provider, collate, ctype: collate }],
})

describe('the platform', () => {
  const platform = {
    architecture: 'x86_64',
    libc: 'glibc 2.41',
    icu: '76',
    locales: ['C', 'C.utf8', 'de_DE.utf8'],
  }
  test('of another architecture', async () => {
    expect(
      await problems(leaderWith(), bareWith({ platform: { ...platform, architecture: 'aarch64' } })),
    ).toEqual(['pg-2 is aarch64, and pg-1 x86_64: the files of one mean nothing to the other'])
  })

  test('without a locale of the primary’s', async () => {
    const [problem, ...others] = await problems(
      leaderWith(german('c')),
      bareWith({ platform: { ...platform, locales: ['C', 'C.utf8'] } }),
    )
    expect(others).toEqual([])
    expect(problem).toMatch(
      /pg-2 has no locale de_DE\.UTF-8, which databases of pg-1 have.*\n {2}next: apt-get install locales && localedef -i de_DE/,
    )
  })

  test.each([
    [
      'another glibc',
      german('c'),
      { libc: 'glibc 2.36' },
      /text in shop is sorted by glibc 2\.41 on pg-1, and pg-2 has glibc 2\.36/,
    ],
    [
      'another ICU',
      german('i'),
      { icu: '72' },
      /text in shop is sorted by ICU 76 on pg-1, and pg-2 has ICU 72/,
    ],
    [
      'another glibc, where nothing is sorted by it',
      german('c', 'C.UTF-8'),
      { libc: 'glibc 2.36' },
      undefined,
    ],
    ['another ICU, where glibc sorts', german('c'), { icu: '72' }, undefined],
    ['another glibc, where ICU sorts', german('i'), { libc: 'glibc 2.36' }, undefined],
  ])('with %s', async (_, its, own, says) => {
    const found = await problems(
      leaderWith(its, { platform }),
      bareWith({ platform: { ...platform, ...own } }),
    )
    expect(found).toEqual(says === undefined ? [] : [expect.stringMatching(says)])
  })
})

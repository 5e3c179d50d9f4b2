import { Access, Host } from '../../../../lib/host/host.ts'
import { PsqlServer } from '../../../../lib/postgres/psql-server.ts'
import type { Control } from '../../../../lib/postgres/replication/control.ts'
import type { InstanceFacts } from '../../../../lib/postgres/replication/instance-facts.ts'
import { instanceOn } from '../../../../lib/postgres/replication/instance-place.ts'
import type { Node } from '../../../../lib/postgres/replication/nodes.ts'
import type { Standing } from '../../../../lib/postgres/replication/replication.ts'
import { RecordedRun, ScriptedMachine } from '../../doubles.ts'

export const system = '7711751910009776589'

const standing: Standing = {
  standby: false,
  version: 17,
  system,
  timeline: 2,
  checkpointTimeline: 2,
  lsn: '0/5000000',
  received: null,
  receiver: null,
  slots: [],
  senders: [],
  oldestWal: '000000000000000000000003',
  segmentSize: 16 * 1024 ** 2,
  walSenders: 10,
  maxSlots: 10,
  walLevel: 'replica',
  dataDirectory: '/var/lib/postgresql/17/main',
  conninfo: '',
  slotName: '',
  canRewind: true,
  databases: ['postgres', 'shop'],
  tablespaces: [],
  sorting: [{ database: 'shop', provider: 'c', collate: 'C.UTF-8', ctype: 'C.UTF-8' }],
  bytes: 40_000_000,
}

const facts: InstanceFacts = {
  versions: [17],
  state: 'active',
  startsAtBoot: true,
  data: 'there',
  standbySignal: false,
  left: [],
  promotion: undefined,
  control: undefined,
  freeBytes: 10_000_000_000,
  clock: 0,
  platform: { architecture: 'x86_64', libc: 'glibc 2.41', icu: '76', locales: ['C', 'C.utf8', 'POSIX'] },
}

function node(name: string, server: Standing | undefined, its: Partial<InstanceFacts>): Node {
  const machine = new ScriptedMachine(name, () => 0)
  const host = new Host(new Access(machine, async () => undefined), new RecordedRun(), 'root')
  return {
    name,
    instance: instanceOn(host, 17),
    facts: { ...facts, ...its },
    server: new PsqlServer(host, 5432),
    standing: server,
    trouble: '',
  }
}

export function control(its: Partial<Control> = {}): Control {
  return { system, state: 'in production', timeline: 2, checkpoint: '0/4F00000', ...its }
}

/** Takes writes; feeds these standbys. */
export function primary(name: string, feeds: string[] = [], its: Partial<Standing> = {}, facts_ = {}): Node {
  const senders = feeds.map((application) => ({
    application,
    address: null,
    state: 'streaming',
    replayed: its.lsn ?? standing.lsn,
  }))
  return node(name, { ...standing, senders, ...its }, { control: control(), ...facts_ })
}

export function standby(name: string, its: Partial<Standing> = {}): Node {
  const receiver = {
    status: 'streaming',
    slot: 'pg_2',
    host: '10.0.0.1',
    timeline: 2,
    flushed: standing.lsn,
    told: standing.lsn,
    silentFor: 1,
  }
  return node(
    name,
    { ...standing, standby: true, receiver, received: its.lsn ?? standing.lsn, ...its },
    { standbySignal: true, control: control({ state: 'in archive recovery' }) },
  )
}

/** No server runs on it. */
export function stopped(
  name: string,
  its: Partial<Control> | undefined,
  more: Partial<InstanceFacts> = {},
): Node {
  return node(name, undefined, {
    state: 'inactive',
    data: its ? 'there' : 'none',
    control: its ? control(its) : undefined,
    ...more,
  })
}

import { setTimeout as pause } from 'node:timers/promises'

import type { ProcessPromise } from 'zx/core'

import type { Estate } from '../../inventory/estate.ts'
import { assertProof, type Proof } from '../../task/confirm.ts'
import { TaskError } from '../../task/errors.ts'
import type { Reaching } from '../cluster.ts'
import { PostgresError, type Server } from '../server.ts'
import { size } from '../size.ts'
import { identifier, sql } from '../sql.ts'
import { conninfoText, type Following, passEscape, passLine, withFollowing } from './auto-conf.ts'
import type { ClusterTarget } from './cluster-target.ts'
import { type Instance, lastLogLines, startInstance } from './instance.ts'
import { type Leader, type Obstacle, obstacleOf } from './join-way.ts'
import { bytesBetween } from './lsn.ts'
import type { Node } from './nodes.ts'
import {
  createSlot,
  dropSlot,
  readHistory,
  readReplayed,
  readStanding,
  slotName,
  type Standing,
  writeRecord,
} from './replication.ts'
import { parseHistory } from './timeline.ts'

/** Milliseconds. */
const streamingPatience = 90_000
const slotPatience = 5000
/** A primary notices after `wal_sender_timeout`, 60 s, that a standby is gone without a word. */
const senderPatience = 75_000
const poll = 200

/** A clock that is further off than this makes logs, time-outs and "last heard" lie. Milliseconds. */
const clockTolerance = 5000

/** The settings by which a machine follows another one. */
export function followingOf(
  estate: Estate,
  { cluster, role }: ClusterTarget,
  { host, passfile }: Instance,
  primary: string,
): Following {
  const parts = {
    host: estate.addressBetween(host.name, primary),
    port: cluster.port,
    user: role,
    passfile,
    application_name: host.name,
  }
  return { conninfo: conninfoText(parts), slot: slotName(host.name) }
}

/** What the standby logs in with. */
export async function writePassfile(
  { run }: Reaching,
  { role, password }: ClusterTarget,
  { host, passfile }: Instance,
): Promise<void> {
  // With its escapes it is another text than the one that is known as a secret.
  run.onSecret(passEscape(password()))
  await host.as('postgres').write(passfile, passLine(role, password()), { mode: 0o600, owner: 'postgres' })
}

/** Writes the password and the settings; a server that runs reads them anew. */
export async function follow(
  reaching: Reaching,
  target: ClusterTarget,
  { instance, server, standing }: Pick<Node, 'instance' | 'server' | 'standing'>,
  primary: string,
): Promise<void> {
  await writePassfile(reaching, target, instance)
  const postgres = instance.host.as('postgres')
  const file = `${instance.data}/postgresql.auto.conf`
  const before = (await postgres.readFile(file)) ?? ''
  const after = withFollowing(before, followingOf(reaching.estate, target, instance, primary))
  await postgres.write(file, after, { mode: 0o600 })
  if (standing && after !== before) await server.change([sql`select pg_reload_conf()`])
}

/** It never starts as a primary again until this is taken away. On the disk, and not only in its cache. */
export async function markStandby({ host, data }: Instance): Promise<void> {
  const postgres = host.as('postgres')
  const there = await postgres.read({ nothrow: true })`test -e ${data}/standby.signal`
  if (there.exitCode === 0) return
  await postgres.change`: > ${data}/standby.signal; sync -- ${data}/standby.signal ${data}`
}

/** Only while no other machine can have been promoted. */
export async function unmarkStandby({ host, data }: Instance): Promise<void> {
  const postgres = host.as('postgres')
  const there = await postgres.read({ nothrow: true })`test -e ${data}/standby.signal`
  if (there.exitCode !== 0) return
  await postgres.change`rm -f -- ${data}/standby.signal; sync -- ${data}`
}

/**
 * A slot of this name that only this standby uses.
 * @param runs whether its server does; of one that does not, the connection that holds the slot is dead, and it
 *   is waited for: ended by hand it would hang for longer, on its farewell to somebody who does not listen
 * @returns whether it was made now
 * @throws TaskError when somebody else has it
 */
export async function ensureSlot(
  { estate, run }: Reaching,
  leader: Pick<Leader, 'node' | 'standing'>,
  standby: string,
  runs: boolean,
): Promise<boolean> {
  const name = slotName(standby)
  const found = leader.standing.slots.find((slot) => slot.name === name)
  if (!found) {
    await createSlot(leader.node.server, name)
    return true
  }
  const own = Object.values(estate.host(standby).addresses ?? {})
  if (found.kind !== 'physical') {
    throw new TaskError(`the slot ${name} on ${leader.node.name} is a ${found.kind} one, of somebody else`)
  }
  if (found.active && found.address !== null && !own.includes(found.address)) {
    throw new TaskError(
      `the slot ${name} on ${leader.node.name} is in use by ${found.application || 'no name'} at ${found.address}, and ${standby} is ${own.join(', ')}`,
      { next: `find out what runs at ${found.address}, and give it a slot of another name` },
    )
  }
  if (found.active && !runs && !run.dryRun && !(await isIdle(leader.node.server, name, senderPatience))) {
    throw new TaskError(
      `the slot ${name} on ${leader.node.name} is still in use after ${senderPatience / 1000} s`,
    )
  }
  // What it should have kept is gone, and it will never keep anything again.
  if (found.wal === 'lost' && !found.active) {
    await dropSlot(leader.node.server, name)
    await createSlot(leader.node.server, name)
  }
  return false
}

/** A machine that has the cluster's data follows the primary, through a slot of its own. */
export async function letFollow(
  reaching: Reaching,
  target: ClusterTarget,
  leader: Leader,
  node: Node,
): Promise<void> {
  await ensureSlot(reaching, leader, node.name, node.standing !== undefined)
  if (!node.standing) await markStandby(node.instance)
  await follow(reaching, target, node, leader.node.name)
  if (!node.standing) await startInstance(node.instance)
}

/** Waits until nobody uses a slot. @returns false when somebody still does */
async function isIdle(server: Server, name: string, patience: number): Promise<boolean> {
  const deadline = Date.now() + patience
  for (;;) {
    const { slots } = await readStanding(server)
    if (!slots.some((slot) => slot.name === name && slot.active)) return true
    if (Date.now() > deadline) return false
    await pause(poll)
  }
}

/** @returns false when somebody uses it */
export async function dropIdleSlot(server: Server, name: string, dryRun: boolean): Promise<boolean> {
  if (!dryRun && !(await isIdle(server, name, slotPatience))) return false
  const { slots } = await readStanding(server)
  if (slots.some((slot) => slot.name === name)) await dropSlot(server, name)
  return true
}

/** Asks the server at the end of a conninfo, from the standby and as it will log in. */
async function askAs(
  { estate }: Reaching,
  target: ClusterTarget,
  { host }: Instance,
  primary: string,
  database: { dbname: string } | { replication: string },
  statement: string,
): Promise<{ answer: string } | { problem: string }> {
  const address = estate.addressBetween(host.name, primary)
  const text = conninfoText({
    host: address,
    port: target.cluster.port,
    user: target.role,
    connect_timeout: 10,
    ...database,
  })
  const output = await host.as('postgres').read({
    input: `${target.password()}\n`,
    nothrow: true,
  })`cd /; read -r PGPASSWORD; export PGPASSWORD; psql -X -A -t -w -d ${text} -c ${statement}`
  if (output.exitCode === 0) return { answer: output.stdout.trim() }
  return { problem: output.stderr.trim().replace(/^psql: (error: )?/, '') }
}

/**
 * Why a standby could not stream from there.
 * @param system identifier of the cluster that must be found there
 */
export async function loginProblem(
  reaching: Reaching,
  target: ClusterTarget,
  instance: Instance,
  primary: string,
  system: string,
): Promise<string | undefined> {
  const { name } = instance.host
  const login = await askAs(reaching, target, instance, primary, { replication: 'true' }, 'IDENTIFY_SYSTEM')
  if ('problem' in login) {
    return (
      `${target.role} cannot log in on ${primary} from ${name}: ${login.problem}\n` +
      '  next: npx tsx tasks/pg-setup.ts   # writes the role, its password and its line in pg_hba.conf'
    )
  }
  if (login.answer.startsWith(`${system}|`)) return undefined
  return `what ${name} reaches as ${primary} is another server: IDENTIFY_SYSTEM says ${login.answer}`
}

/**
 * All that speaks against copying the primary onto this machine, found before anything is changed.
 * @param freed bytes that will be free once the old data is gone
 */
export async function buildProblems(
  reaching: Reaching,
  target: ClusterTarget,
  leader: Leader,
  node: Node,
  freed: number,
): Promise<string[]> {
  const { standing } = leader
  const problems: string[] = []
  const off = Math.abs(node.facts.clock - leader.node.facts.clock)
  if (off > clockTolerance) {
    problems.push(
      `the clocks of ${node.name} and ${leader.node.name} differ by ${Math.round(off / 1000)} s; let timedatectl show why`,
    )
  }
  const free = node.facts.freeBytes + freed
  // WAL comes beside the data while it is copied.
  const needed = Math.ceil(standing.bytes * 1.1) + 4 * standing.segmentSize
  if (free < needed) {
    problems.push(
      `${node.name} has ${size(free)} free below /var/lib/postgresql, and the copy needs ${size(needed)}`,
    )
  }
  if (standing.walLevel === 'minimal') {
    problems.push(`${leader.node.name} has wal_level minimal; npx tsx tasks/pg-setup.ts sets it`)
  }
  // One streams the WAL while the other one copies.
  const spare = standing.walSenders - standing.senders.length
  if (spare < 2) {
    problems.push(
      `${leader.node.name} has max_wal_senders ${standing.walSenders}, ${standing.senders.length} are taken, and 2 are needed`,
    )
  }
  if (standing.tablespaces.length > 0) {
    problems.push(
      `${leader.node.name} has tablespaces (${standing.tablespaces.join(', ')}), whose folders this task does not know; use pg_basebackup by hand`,
    )
  }
  const mount = await node.instance.host.read({ nothrow: true })`mountpoint -q ${node.instance.data}`
  if (mount.exitCode === 0) {
    problems.push(`${node.instance.data} on ${node.name} is a mount point; mount the disk one folder higher`)
  }
  const login = await loginProblem(reaching, target, node.instance, leader.node.name, standing.system)
  if (login !== undefined) problems.push(login)
  return problems
}

/** How much the present data takes up. */
export async function dataBytes({ host, data }: Instance): Promise<number> {
  const { stdout } = await host.as('postgres')
    .read`du -sb -- ${data} ${data}.rewinding 2>/dev/null | cut -f 1 || true`
  return stdout
    .split('\n')
    .map(Number)
    .reduce((sum, bytes) => sum + bytes, 0)
}

/** @param proof the operator's word for losing what this machine has */
export async function removeData({ host, data }: Instance, proof: Proof): Promise<void> {
  assertProof(proof, host.name)
  await host.as('postgres').change`rm -rf -- ${data} ${data}.rewinding`
}

/**
 * Copies the primary into a folder beside the data, so that whatever is cut off leaves nothing that could be
 * taken for a database. Its output tells how far it is.
 */
export function baseBackup({ host, data, bin }: Instance, following: Following): ProcessPromise {
  // Progress goes to stderr.
  return host.as('postgres').change`
    cd /
    rm -rf -- ${data}.building
    exec ${bin}/pg_basebackup -d ${following.conninfo} -D ${data}.building -c fast -X stream -S ${following.slot} -R -w --progress 2>&1`
}

/** Where data goes that is not this cluster's. */
export function asideOf({ data }: Instance, now: Date): string {
  return `${data}.${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
}

/** The finished copy takes its place. @param aside where data of another cluster goes */
export async function placeData({ host, data }: Instance, aside: string | undefined): Promise<void> {
  const parent = data.slice(0, data.lastIndexOf('/'))
  const move = aside === undefined ? [':'] : ['mv', '-T', '--', data, aside]
  await host.as('postgres').change`
    test -e ${data}.building/standby.signal
    ${move}
    if [ -d ${data} ]; then rmdir -- ${data}; fi
    mv -T -- ${data}.building ${data}
    sync -- ${parent}`
}

/** Data that differs from the primary's is brought back to where they parted. */
export async function rewindProblem(
  reaching: Reaching,
  target: ClusterTarget,
  leader: Leader,
  node: Node,
  standing: Standing,
): Promise<string | undefined> {
  if (!standing.canRewind) return 'neither wal_log_hints nor data checksums are on there'
  const asked = await askAs(
    reaching,
    target,
    node.instance,
    leader.node.name,
    { dbname: 'postgres' },
    'select 1',
  )
  return 'problem' in asked
    ? `${target.role} cannot log in to the database postgres on ${leader.node.name}, as pg_rewind must: ${asked.problem}`
    : undefined
}

/** What pg_rewind calls on the primary (its manual, "Notes"); a role that may replicate can read all files anyway. */
export async function allowRewind(server: Server, role: string): Promise<void> {
  const to = identifier(role)
  await server.change([
    sql`grant execute on function pg_catalog.pg_ls_dir(text, boolean, boolean) to ${to}`,
    sql`grant execute on function pg_catalog.pg_stat_file(text, boolean) to ${to}`,
    sql`grant execute on function pg_catalog.pg_read_binary_file(text) to ${to}`,
    sql`grant execute on function pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) to ${to}`,
    // Before its first one after a promotion, the control file still names the old timeline.
    sql`checkpoint`,
  ])
}

function sourceOf(
  { estate }: Reaching,
  target: ClusterTarget,
  { host, passfile }: Instance,
  primary: string,
): string {
  return conninfoText({
    host: estate.addressBetween(host.name, primary),
    port: target.cluster.port,
    user: target.role,
    passfile,
    dbname: 'postgres',
  })
}

/**
 * Whether a rewind of the stopped server would go through; it changes nothing.
 * @returns what pg_rewind said against it
 */
export async function tryRewind(
  reaching: Reaching,
  target: ClusterTarget,
  instance: Instance,
  primary: string,
): Promise<string | undefined> {
  const { host, data, bin } = instance
  const source = sourceOf(reaching, target, instance, primary)
  const output = await host.as('postgres').read({
    nothrow: true,
  })`cd /; ${bin}/pg_rewind --dry-run -D ${data} --source-server ${source} 2>&1`
  return output.exitCode === 0 ? undefined : output.stdout.trim()
}

/**
 * Meanwhile the data has another name: half rewound, and with `standby.signal` gone as on the primary, it
 * must not be started by a machine that boots.
 *
 * @param proof the operator's word for losing what only this machine has
 */
export function rewind(
  reaching: Reaching,
  target: ClusterTarget,
  instance: Instance,
  primary: string,
  proof: Proof,
): ProcessPromise {
  const { host, data, bin } = instance
  assertProof(proof, host.name)
  const source = sourceOf(reaching, target, instance, primary)
  const parent = data.slice(0, data.lastIndexOf('/'))
  return host.as('postgres').change`
    cd /
    mv -T -- ${data} ${data}.rewinding
    sync -- ${parent}
    ${bin}/pg_rewind --progress -D ${data}.rewinding --source-server ${source} 2>&1
    : > ${data}.rewinding/standby.signal
    sync -- ${data}.rewinding/standby.signal ${data}.rewinding
    mv -T -- ${data}.rewinding ${data}
    sync -- ${parent}`
}

/**
 * Waits until the standby streams through its own slot, or something is in its way.
 * @throws TaskError with the server's last words
 */
export async function watchStandby(
  leader: Leader,
  { name, instance, server }: Pick<Node, 'name' | 'instance' | 'server'>,
  following: Following,
): Promise<{ standing: Standing; obstacle: Obstacle | undefined }> {
  const deadline = Date.now() + streamingPatience
  let seen = 'it does not answer'
  for (;;) {
    const standing = await readStanding(server).catch((error: unknown) => {
      if (!(error instanceof PostgresError)) throw error
      seen = error.message
      return undefined
    })
    if (standing) {
      if (streams(standing, following)) return { standing, obstacle: undefined }
      const primary = await readStanding(leader.node.server)
      const own = parseHistory(await readHistory(server, standing.timeline))
      const obstacle = obstacleOf({ ...leader, standing: primary }, standing, own, following.slot)
      if (obstacle) return { standing, obstacle }
      seen = standing.receiver ? `its receiver is ${standing.receiver.status}` : 'it has no receiver'
    }
    if (Date.now() > deadline) {
      const patience = streamingPatience / 1000
      throw new TaskError(`${name} does not stream from ${leader.node.name} after ${patience} s: ${seen}`, {
        seen: await lastLogLines(instance),
      })
    }
    await pause(poll)
  }
}

/** As it should be: by our settings, through its own slot. */
export function streams(
  { standby, receiver, slotName: slot, conninfo: text }: Standing,
  following: Following,
) {
  return (
    standby &&
    receiver?.status === 'streaming' &&
    receiver.slot === following.slot &&
    slot === following.slot &&
    text === following.conninfo
  )
}

/**
 * What is written on the primary is replayed on the standby.
 * @returns what was seen, in a few words
 */
export async function proveReplication(primary: Server, standby: Server): Promise<string> {
  const written = await writeRecord(primary)
  const start = Date.now()
  for (;;) {
    const replayed = await readReplayed(standby)
    if (replayed !== null && bytesBetween(written, replayed) >= 0) {
      return `a record written at ${written} on ${primary.name} was replayed ${Date.now() - start} ms later`
    }
    if (Date.now() - start > streamingPatience) {
      throw new TaskError(`${standby.name} has replayed ${replayed ?? 'nothing'}, and ${written} was written`)
    }
    await pause(poll / 4)
  }
}
